"""Pitches in prompts: 'A4', 'a tone at A', 'C major', '440 Hz'."""

import re
from collections.abc import Callable, Sequence
from math import log2

from omnifex_audio.words import PITCHES, frequency
from omnifex_prism.reading import Item, Token
from omnifex_prism.refusals import UnknownWord, listed

NAME = re.compile(r"(?P<letter>[a-g])(?P<flat>b?)(?P<octave>\d*)")
HERTZ = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>hz|khz|hertz|)")
UNITS = {"hz": 1.0, "hertz": 1.0, "khz": 1000.0}
ACCIDENTALS = {"#": 1, "♯": 1, "sharp": 1, "♭": -1, "flat": -1}
QUALITIES = ("major", "minor", "maj", "min")
INTRODUCING = ("at", "from", "on", "in", "note", "pitch", "of")
EXACT = 0.1  # semitones within which a frequency is a pitch


def nearest(hertz: float) -> list[tuple[float, str]]:
    """Pitches by their distance from a frequency in semitones, the nearest first."""
    return sorted((abs(12 * log2(frequency(pitch) / hertz)), pitch) for pitch in PITCHES)


def refused(text: str, letter: str, octave: int, shift: int) -> UnknownWord:
    near = [letter.upper() + str(min(max(octave, 4), 5))]
    if shift:
        hertz = frequency(near[0]) * 2.0 ** (shift / 12)
        near = sorted((pitch for _, pitch in nearest(hertz)[:2]), key=frequency)
    return UnknownWord(
        f"audio prompts know the pitches C to B of the octaves 4 and 5, without sharps and flats, "
        f"not {text!r}; the nearest is {listed([repr(pitch) for pitch in near], 'or')}."
    )


def read_pitch(tokens: Sequence[Token], at: int) -> tuple[Item, int] | None:
    """A pitch by its name; octave 4 where none is told. Raises UnknownWord for one not known."""
    match = NAME.fullmatch(tokens[at].text)
    if not match or (match[0] == "a" and not is_pitch(tokens, at)):
        return None
    end, octave, shift = at + 1, match["octave"], -1 if match["flat"] else 0
    if not octave and end < len(tokens) and tokens[end].text in ACCIDENTALS:
        shift += ACCIDENTALS[tokens[end].text]
        end += 1
    if not octave and end < len(tokens) and re.fullmatch(r"\d", tokens[end].text):
        octave = tokens[end].text
        end += 1
    text = " ".join(token.raw for token in tokens[at:end]).replace(" #", "#")
    name = match["letter"].upper() + (octave or "4")
    if shift or name not in PITCHES:
        raise refused(text, match["letter"], int(octave or 4), shift)
    return Item("pitch", name, text, near=not octave), end


def is_pitch(tokens: Sequence[Token], at: int) -> bool:
    """Whether a bare 'a' is the pitch and not the article."""
    before = tokens[at - 1].text if at else ""
    after, next_after = [*(token.text for token in tokens[at + 1 : at + 3]), "", ""][:2]
    capital = tokens[at].raw == "A"
    if after in QUALITIES:
        return capital or (before == "in" and next_after != "key")
    if capital and at and (before in INTRODUCING or after.isdigit()):
        return True
    return after in ACCIDENTALS or not re.match(r"\w", after) or after == "and"


def read_hertz(tokens: Sequence[Token], at: int) -> tuple[Item, int] | None:
    """The pitch that is nearest to a frequency. Raises UnknownWord for one out of reach."""
    match, end = HERTZ.fullmatch(tokens[at].text), at + 1
    if not match:
        return None
    unit = match["unit"]
    if not unit and end < len(tokens):
        unit, end = tokens[end].text, end + 1
    if unit not in UNITS:
        return None
    text, hertz = " ".join(token.raw for token in tokens[at:end]), float(match["number"])
    hertz *= UNITS[unit]
    far, pitch = nearest(hertz)[0] if 0 < hertz < 1e6 else (99.0, "")
    if far > 1:
        raise UnknownWord(
            f"audio prompts know pitches of {frequency(PITCHES[0]):.0f} to "
            f"{frequency(PITCHES[-1]):.0f} Hz, not {text!r}; choose one of these, such as '440 Hz'."
        )
    return Item("pitch", pitch, text, near=far > EXACT), end


RECOGNISERS: tuple[Callable[[Sequence[Token], int], tuple[Item, int] | None], ...] = (
    read_hertz,
    read_pitch,
)
