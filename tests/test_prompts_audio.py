"""Prompts of sounds."""

import pytest
from prompt_cases import misread, phrases_of, refusal

from omnifex_audio import words
from omnifex_audio.prompts import ROLES, read
from omnifex_prism.glossary import lexicons
from recipes.world import audio as world


def phrase(prompt: str) -> dict[str, str]:
    (only,) = phrases_of(read(prompt))
    return only


def test_written_captions_are_read_as_the_phrases_they_tell() -> None:
    assert misread("audio", read) == []


def test_prompts_know_the_words_and_roles_of_the_world() -> None:
    known = {role: tuple(spellings) for role, spellings in lexicons()["audio"].words.items()}
    roles = dict(words.VOCABULARY.roles)
    assert roles.pop("pitch") == words.PITCHES
    assert known == roles
    assert ROLES == world.ROLES


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a sine tone at A4", {"kind": "tone", "waveform": "sine", "pitch": "A4"}),
        ("one sine note, E5", {"kind": "tone", "waveform": "sine", "pitch": "E5"}),
        ("a C4 major chord", {"kind": "chord", "pitch": "C4", "quality": "major"}),
        ("a chord of square tones", {"kind": "chord", "waveform": "square"}),
        ("A4 minor arpeggio going up",
         {"kind": "arpeggio", "pitch": "A4", "quality": "minor", "direction": "rising"}),
        ("three bursts of white noise", {"kind": "noise", "noise": "white", "count": "three"}),
        ("a single burst of brown noise", {"kind": "noise", "noise": "dark", "count": "one"}),
        ("a fast beat of square beeps at A4",
         {"kind": "rhythm", "speed": "fast", "waveform": "square", "pitch": "A4"}),
        ("a rising sine sweep from C4",
         {"kind": "sweep", "direction": "rising", "waveform": "sine", "pitch": "C4"}),
        ("a 3 second tone at middle C, fading out",
         {"kind": "tone", "pitch": "C4", "envelope": "fading out"}),
        ("some kind of sound at C4", {"pitch": "C4"}),
        ("", {}),
    ],
)  # fmt: skip
def test_sounds_are_told_in_many_ways(prompt: str, expected: dict[str, str]) -> None:
    reading = read(prompt)
    assert phrases_of(reading) == [expected]
    assert reading.notes == ()


@pytest.mark.parametrize(
    ("prompt", "kind"),
    [
        ("a square wave at C5", "tone"),
        ("plucked C5", "tone"),
        ("rising C5", "sweep"),
        ("C5 minor", "chord"),
        ("C5 minor, falling", "arpeggio"),
        ("slow, C5", "rhythm"),
        ("two, dark", "noise"),
    ],
)
def test_a_kind_that_is_not_told_is_found_and_noted(prompt: str, kind: str) -> None:
    reading = read(prompt)
    assert reading.phrases[0]["kind"] == kind
    assert reading.notes == (f"took the kind of sound for {kind!r}, as none is told",)


@pytest.mark.parametrize(
    ("prompt", "pitch", "notes"),
    [
        ("a tone at 440 Hz", "A4", ()),
        ("a 523hz tone", "C5", ()),
        ("a tone at 450 Hz", "A4", ("took '450 Hz' for 'A4'",)),
        ("a tone at 1 kHz", "B5", ("took '1 kHz' for 'B5'",)),
        ("a tone at A", "A4", ("took 'A' for 'A4'",)),
        ("a g chord", "G4", ("took 'g' for 'G4'",)),
        ("a tone at c 5", "C5", ()),
        ("a tone at concert pitch", "A4", ()),
    ],
)
def test_pitches_are_told_in_many_ways(prompt: str, pitch: str, notes: tuple[str, ...]) -> None:
    reading = read(prompt)
    assert reading.phrases[0]["pitch"] == pitch
    assert reading.notes == notes


@pytest.mark.parametrize("prompt", ["A minor chord", "a chord in A minor", "a chord in a minor"])
def test_a_may_be_a_pitch(prompt: str) -> None:
    assert phrase(prompt) == {"kind": "chord", "pitch": "A4", "quality": "minor"}


@pytest.mark.parametrize("prompt", ["a minor chord", "a chord in a minor key"])
def test_a_may_be_an_article(prompt: str) -> None:
    assert phrase(prompt) == {"kind": "chord", "quality": "minor"}


def test_a_capital_article_begins_a_sentence() -> None:
    assert phrase("A sine tone") == {"kind": "tone", "waveform": "sine"}


@pytest.mark.parametrize(
    ("prompt", "code", "part"),
    [
        ("C#4 tone", "unknown_word", "not 'C# 4'; the nearest is 'C4' or 'D4'"),
        ("D flat major chord", "unknown_word", "not 'D flat'; the nearest is 'C4' or 'D4'"),
        ("a bb5 tone", "unknown_word", "the nearest is 'A5' or 'B5'"),
        ("a tone at A3", "unknown_word", "not 'A3'; the nearest is 'A4'"),
        ("a tone at C7", "unknown_word", "the nearest is 'C5'"),
        ("a tone at 20 kHz", "unknown_word", "262 to 988 Hz, not '20 kHz'"),
        ("a tone at 0 Hz", "unknown_word", "262 to 988 Hz"),
        ("a red tone on a circle", "unknown_word", "'circle' (a word of image and video prompts)"),
        ("a tone, not loud", "unknown_word", "negations such as 'not'"),
        ("five bursts of noise", "too_many_things", "at most 4 bursts, not 'five'"),
        ("slow and fast beats", "contradiction", "both 'slow' and 'fast'"),
        ("a tone at A4 and C5", "contradiction", "'A4' and 'C5'"),
        ("a chord and a sweep", "contradiction", "ask for one sound at a time"),
        ("a plucked sweep", "misplaced_word", "'sweep' has no envelope, which 'plucked' tells"),
        ("a bright sine tone", "misplaced_word", "has no colour of noise"),
        ("three notes", "misplaced_word", "has no count"),
    ],
)
def test_what_is_not_understood_is_refused_in_a_sentence(prompt: str, code: str, part: str) -> None:
    found, message = refusal(read, prompt)
    assert found == code
    assert part in message
    assert message.endswith(".")
