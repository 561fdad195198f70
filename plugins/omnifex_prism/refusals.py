"""What a prompt may be refused for: each class has a code, each message one sentence."""

import difflib
from collections.abc import Mapping, Sequence
from typing import ClassVar

from omnifex.errors import InvalidRequest

NAMED, LETTERS = 5, 40  # of unknown words that a message shows


class PromptRefused(InvalidRequest):
    """A prompt that the built-in models cannot follow."""

    code: ClassVar[str] = "prompt_refused"


class UnknownWord(PromptRefused):
    """A word that means nothing to the model: it is told, never dropped."""

    code = "unknown_word"


class TooManyThings(PromptRefused):
    """More things than the model was trained to put in one artifact."""

    code = "too_many_things"


class Contradiction(PromptRefused):
    """Two words for what can only be one, such as two colours of one thing."""

    code = "contradiction"


class MisplacedWord(PromptRefused):
    """A known word where it means nothing, such as an envelope of a sweep."""

    code = "misplaced_word"


def listed(words: Sequence[str], last: str = "and") -> str:
    """'a', 'a and b', 'a, b and c'."""
    return f" {last} ".join(part for part in (", ".join(words[:-1]), *words[-1:]) if part)


def where_words_are(modality: str) -> str:
    return f"`python -m omnifex_prism.glossary {modality}` lists the words they know"


def unknown(
    modality: str, words: Sequence[str], known: Sequence[str], elsewhere: Mapping[str, str]
) -> UnknownWord:
    """Name the words, with what they may have been meant for; `elsewhere` is word → modality."""
    named = [
        f"{word!r} (a word of {elsewhere[word]} prompts)"
        if word in elsewhere
        else repr(word if len(word) <= LETTERS else word[:LETTERS] + "…") + meant(word, known)
        for word in words[:NAMED]
    ]
    if len(words) > NAMED:
        named.append(f"{len(words) - NAMED} more")
    return UnknownWord(
        f"{modality} prompts do not know {listed(named)}; {where_words_are(modality)}."
    )


def meant(word: str, known: Sequence[str]) -> str:
    """What may be meant: a text that holds the word, else one that is spelled much like it."""
    holding = [text for text in known if word in text.split()]
    matches = holding[:2] or difflib.get_close_matches(word, known, n=2)
    return f" (did you mean {listed([repr(match) for match in matches], 'or')}?)" if matches else ""


def negated(modality: str, word: str) -> UnknownWord:
    return UnknownWord(
        f"{modality} prompts do not understand negations such as {word!r}; "
        "say what should be there, and leave the rest out."
    )


def contradictory(what: str, one: str, other: str, way_out: str) -> Contradiction:
    return Contradiction(f"{what} cannot be both {one!r} and {other!r}; {way_out}.")
