"""Prompts of pictures."""

import pytest
from prompt_cases import misread, phrases_of, refusal

from omnifex_image.prompts import read
from omnifex_image.words import VOCABULARY

RED = {"colour": "red", "shape": "circle"}
BLUE = {"colour": "blue", "shape": "star"}
NAVY = {"background": "plain", "ground": "navy"}
FADE = {"background": "gradient", "ground": "red", "second ground": "blue"}
STRIPES = {"background": "striped", "ground": "red", "second ground": "white"}


def test_written_captions_are_read_as_the_phrases_they_tell() -> None:
    assert misread("image", read) == []


def test_a_reading_is_what_the_conditioner_takes() -> None:
    reading = read("two small red stars left of a blue ring on red and white stripes")
    assert len(VOCABULARY.encode(reading.phrases)) == VOCABULARY.phrases


@pytest.mark.parametrize(
    "prompt",
    [
        "a red circle",
        "Red circle!",
        "please draw me a picture of a red disc",
        "a circle that is red",
        "circle, red",
        "a circle. It is red.",
    ],
)
def test_a_thing_is_told_in_many_ways(prompt: str) -> None:
    assert phrases_of(read(prompt)) == [{}, RED]


@pytest.mark.parametrize(
    ("prompt", "ground"),
    [
        ("a red circle on a navy background", NAVY),
        ("a red circle on navy", NAVY),
        ("red circle, dark blue backdrop", NAVY),
        ("a red circle. The background is navy.", NAVY),
        ("background: navy. a red circle", NAVY),
        ("a solid red circle against solid navy", NAVY),
        ("over a plain navy background, a red circle", NAVY),
        ("a red to blue gradient with a red circle", FADE),
        ("a red circle on a gradient from red to blue", FADE),
        ("a red circle on a background fading from red to blue", FADE),
        ("a gradient from blue at the bottom to red at the top, and a red circle", FADE),
        ("a red circle on a red to blue background", FADE),
        ("a red circle on red and white stripes", STRIPES),
        ("a striped red and white background with a red circle", STRIPES),
        ("a red circle on a red-and-white striped background", STRIPES),
        ("a red circle on stripes of red and white", STRIPES),
        ("a red circle on a striped background", {"background": "striped"}),
        ("navy in the background and a red circle", {"ground": "navy"}),
        ("a red circle on navy and white", {"ground": "navy", "second ground": "white"}),
        ("a red circle on a background", {}),
    ],
)
def test_backgrounds_are_told_in_many_ways(prompt: str, ground: dict[str, str]) -> None:
    assert phrases_of(read(prompt)) == [ground, RED]


@pytest.mark.parametrize(
    ("prompt", "relation"),
    [
        ("a red circle left of a blue star", "left of"),
        ("a red circle to the right of the blue star", "right of"),
        ("a red circle is on top of a blue star", "above"),
        ("a red circle, under a blue star", "below"),
        ("a red circle with a blue star to its left", "right of"),
        ("a red circle with a blue star above it", "below"),
        ("above a blue star, a red circle", "above"),
    ],
)
def test_relations_belong_to_the_first_thing(prompt: str, relation: str) -> None:
    reading = read(prompt)
    assert phrases_of(reading) == [{}, RED | {"relation": relation}, BLUE]
    assert reading.notes == ()


@pytest.mark.parametrize(
    ("prompt", "relation", "note"),
    [
        ("a red circle next to a blue star", "left of", "took 'next to' for 'left of'"),
        ("a red circle on a blue star", "above", "took 'on' for 'above'"),
        ("a red circle and a blue star side by side", "left of",
         "took 'side by side' for 'left of'"),
    ],
)  # fmt: skip
def test_a_vague_relation_is_noted(prompt: str, relation: str, note: str) -> None:
    reading = read(prompt)
    assert phrases_of(reading) == [{}, RED | {"relation": relation}, BLUE]
    assert reading.notes == (note,)


def test_things_without_a_relation_have_none() -> None:
    for prompt in ("a red circle and a blue star", "red circle; blue star", "red circle blue star"):
        assert phrases_of(read(prompt)) == [{}, RED, BLUE]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("in the top left corner", "top left"),
        ("at the upper right", "top right"),
        ("in the middle", "center"),
        ("centred", "center"),
        ("at the bottom of the picture", "bottom"),
        ("on the left", "left"),
        ("on the left of the picture", "left"),
        ("to the right of the image", "right"),
        ("near the lower left", "bottom left"),
        ("at the top center", "top"),
    ],
)
def test_places_are_told_in_many_ways(text: str, place: str) -> None:
    placed = [{}, RED | {"place": place}]
    assert phrases_of(read(f"a red circle {text}")) == placed
    assert phrases_of(read(f"{text}, a red circle")) == placed


def test_each_thing_keeps_its_own_words() -> None:
    prompt = "at the top, a small, red circle; at the bottom, a star, large and blue"
    assert phrases_of(read(prompt)) == [
        {},
        RED | {"size": "small", "place": "top"},
        BLUE | {"size": "large", "place": "bottom"},
    ]


def test_numbers_repeat_a_thing() -> None:
    assert phrases_of(read("two red circles and a blue star")) == [{}, RED, RED, BLUE]
    assert phrases_of(read("three red circles in a row")) == [
        {}, RED | {"relation": "left of"}, RED | {"relation": "left of"}, RED,
    ]  # fmt: skip


def test_one_stands_for_the_noun_before_it() -> None:
    assert phrases_of(read("a red circle above a blue one")) == [
        {}, RED | {"relation": "above"}, {"colour": "blue", "shape": "circle"},
    ]  # fmt: skip


def test_a_plural_without_a_number_is_one_thing_and_noted() -> None:
    reading = read("red circles")
    assert phrases_of(reading) == [{}, RED]
    assert reading.notes == ("took 'circles' for one; say 'two circles' for more",)


def test_between_is_a_row() -> None:
    reading = read("a red circle between a blue star and a green heart")
    assert phrases_of(reading) == [
        {},
        BLUE | {"relation": "left of"},
        RED | {"relation": "left of"},
        {"colour": "green", "shape": "heart"},
    ]
    assert reading.notes == ("took 'between' for a row from left to right",)
    assert read("between a blue star and a green heart, a red circle").phrases == reading.phrases


def test_a_relation_from_a_place_becomes_the_place_of_the_next_thing() -> None:
    reading = read("a red circle at the top left, left of a blue star")
    assert phrases_of(reading) == [{}, RED | {"place": "top left"}, BLUE | {"place": "top right"}]
    assert reading.notes == ("'left of' from 'top left' puts the next thing at 'top right'",)


def test_near_words_are_noted() -> None:
    assert read("a crimson circle on teal").notes == (
        "took 'crimson' for 'red'",
        "took 'teal' for 'cyan'",
    )


def test_what_cannot_be_seen_is_noted() -> None:
    assert read("a red circle on red").notes == ("a red thing cannot be seen on a red background",)
    assert read("a circle with red stripes").notes == ("took 'red stripes' for the background",)


@pytest.mark.parametrize("prompt", ["", "please", "a picture"])
def test_a_prompt_that_says_nothing_leaves_all_to_the_model(prompt: str) -> None:
    assert phrases_of(read(prompt)) == [{}]


@pytest.mark.parametrize(
    ("prompt", "code", "part"),
    [
        ("a sparkling circle", "unknown_word", "'sparkling'"),
        ("a bouncing circle", "unknown_word", "'bouncing' (a word of video prompts)"),
        ("a red cirle", "unknown_word", "did you mean 'circle'"),
        ("no circle", "unknown_word", "negations such as 'no'"),
        ("🦄", "unknown_word", "'🦄'"),
        ("four stars", "too_many_things", "at most 3 things, and this prompt tells of 4"),
        ("a red blue circle", "contradiction", "both 'red' and 'blue'"),
        ("a circle left of a star above a ring", "contradiction", "both 'left of' and 'above'"),
        ("a circle left of and above a star", "contradiction", "'left of' and 'above'"),
        ("a circle at the right, left of a star", "contradiction", "at 'right' cannot be left of"),
        ("a circle at the left, left of a star at the top", "contradiction", "one at 'top'"),
        ("stripes on a plain background", "contradiction", "the background"),
        ("a striped circle", "misplaced_word", "only a background can be 'striped'"),
        ("a circle left of", "misplaced_word", "'left of' needs a thing on both of its sides"),
        ("a circle from a star", "misplaced_word", "'from' is understood only of a background"),
        ("a star in the background", "misplaced_word", "'in background'"),
    ],
)
def test_what_is_not_understood_is_refused_in_a_sentence(prompt: str, code: str, part: str) -> None:
    found, message = refusal(read, prompt)
    assert found == code
    assert part in message
    assert message.endswith(".")
    assert "\n" not in message
