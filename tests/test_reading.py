"""Reading of prompts: what all modalities have in common."""

import doctest
import subprocess
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from random import Random

import pytest
from prompt_cases import babble

from omnifex import InvalidRequest
from omnifex_prism import glossary
from omnifex_prism.reading import Lexicon, tokenise
from omnifex_prism.refusals import PromptRefused, UnknownWord
from omnifex_prism.words import COLOURS, PLACES, RELATIONS, SHAPES, SIZES
from recipes.prompt_tables import PAGE, filled

LEXICON = Lexicon(
    "toy",
    words={"colour": {"red": ("ruby red",), "grey": ("gray",)}, "shape": {"box": (), "cross": ()}},
    near={"colour": {"red": ("crimson",)}},
    marks={"place": {"top": ("at top of page",)}},
    fillers=frozenset(("please", "of")),
)


def words(prompt: str) -> list[str]:
    return [item.word for item in LEXICON.scan(prompt) if item.word]


def test_capitals_hyphens_and_full_width_letters_do_not_matter() -> None:
    assert words("RUBY-red Gray ｂｏｘ") == ["red", "grey", "box"]


def test_numbers_words_and_marks_are_tokens() -> None:
    assert [token.text for token in tokenise("It's 2.5 big, C4!")] == [
        "it's", "2.5", "big", ",", "c4", "!",
    ]  # fmt: skip


def test_the_longest_text_wins_over_its_parts() -> None:
    assert [item.text for item in LEXICON.scan("ruby red red")] == ["ruby red", "red"]


def test_articles_within_a_text_are_passed_over() -> None:
    assert words("a red box at the top of the page") == ["red", "box", "top"]


def test_plurals_are_read_as_their_noun() -> None:
    assert [(item.word, item.plural) for item in LEXICON.scan("boxes crosses cross")] == [
        ("box", True), ("cross", True), ("cross", False),
    ]  # fmt: skip


def test_fillers_are_dropped_and_nothing_else() -> None:
    assert words("please of") == []
    with pytest.raises(UnknownWord, match="toy prompts do not know 'kindly'"):
        LEXICON.scan("kindly please")


def test_an_unknown_word_is_named_with_what_it_may_mean_and_where_to_look() -> None:
    with pytest.raises(UnknownWord) as caught:
        LEXICON.scan("a crimsn box")
    assert str(caught.value) == (
        "toy prompts do not know 'crimsn' (did you mean 'crimson'?); "
        "`python -m omnifex_prism.glossary toy` lists the words they know."
    )


def test_a_word_of_a_longer_text_suggests_that_text() -> None:
    with pytest.raises(UnknownWord, match="'ruby' \\(did you mean 'ruby red'\\?\\)"):
        LEXICON.scan("a ruby box")


def test_many_unknown_words_are_counted() -> None:
    with pytest.raises(UnknownWord, match="'v1', 'v2', 'v3', 'v4', 'v5' and 2 more"):
        LEXICON.scan("v1 v2 v3 v4 v5 v6 v7 v1")


def test_an_endless_word_is_cut() -> None:
    with pytest.raises(UnknownWord, match=r"'x{40}…'"):
        LEXICON.scan("x" * 4000)


@pytest.mark.parametrize("prompt", ["no red box", "a box without red", "a box that isn't red"])
def test_negations_are_refused_by_name(prompt: str) -> None:
    with pytest.raises(UnknownWord, match="do not understand negations such as"):
        LEXICON.scan(prompt)


def test_refusals_are_invalid_requests_with_codes_of_their_own() -> None:
    assert issubclass(PromptRefused, InvalidRequest)
    codes = {kind.code for kind in PromptRefused.__subclasses__()}
    assert codes == {"unknown_word", "too_many_things", "contradiction", "misplaced_word"}


def test_every_modality_has_a_lexicon() -> None:
    assert [*glossary.lexicons()] == ["audio", "image", "mesh", "video"]


@pytest.mark.parametrize("modality", ["image", "video", "audio", "mesh"])
def test_no_text_has_two_meanings(modality: str) -> None:
    lexicon = glossary.lexicons()[modality]
    tables = [*lexicon.words.items(), *lexicon.near.items(), *lexicon.marks.items()]
    told = [
        (text, role, word)
        for role, spellings in tables
        for word, texts in spellings.items()
        for text in {*texts, *((word,) if role in lexicon.words and word else ())}
    ]
    meanings: dict[str, set[tuple[str, str]]] = {}
    for text, role, word in told:
        meanings.setdefault(text, set()).add((role, word))
    assert {text: found for text, found in meanings.items() if len(found) > 1} == {}
    assert not {text for text in meanings if text in lexicon.fillers}


def test_the_words_of_the_world_are_the_words_of_prompts() -> None:
    lexicon = glossary.lexicons()["image"]
    for role, known in {
        "colour": COLOURS, "place": PLACES, "relation": RELATIONS, "shape": SHAPES, "size": SIZES,
    }.items():  # fmt: skip
        assert [*lexicon.words[role]] == [*known]


def test_the_page_on_prompts_has_the_tables_of_the_code() -> None:
    page = PAGE.read_text()
    assert filled(page) == page, "run python -m recipes.prompt_tables"


def test_the_glossary_prints_a_modality_and_refuses_an_unknown_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert glossary.main(["mesh"]) == 0
    assert "| solid | **torus** | donut, doughnut, ring |" in capsys.readouterr().out
    assert glossary.main(["smell"]) == 2
    assert "No prompts of 'smell'" in capsys.readouterr().err


@pytest.mark.parametrize("modality", ["image", "video", "audio", "mesh"])
def test_any_words_are_read_or_refused(modality: str) -> None:
    read = import_module(f"omnifex_{modality}.prompts").read
    vocabulary = import_module(f"omnifex_{modality}.words").VOCABULARY
    understood = 0
    for seed in range(500):
        with suppress(PromptRefused):
            ids = vocabulary.encode(read(babble(modality, Random(seed))).phrases)
            understood += len(ids) == vocabulary.phrases
    assert understood > 20


def test_the_examples_of_the_page_run() -> None:
    assert doctest.testfile(str(PAGE), module_relative=False).failed == 0


def test_prompts_are_read_and_written_without_torch() -> None:
    code = (
        "import sys, random; from recipes.captions import write; import omnifex_image.prompts as p;"
        "p.read(write('image', [{}, {'colour': 'red'}], random.Random(0)));"
        "sys.exit('torch' in sys.modules)"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[1]).returncode == 0
    )
