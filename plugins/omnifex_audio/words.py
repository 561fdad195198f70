"""The words of the built-in sounds."""

from omnifex_prism.vocabulary import Vocabulary

KINDS = ("tone", "sweep", "chord", "arpeggio", "rhythm", "noise")
WAVEFORMS = ("sine", "square", "sawtooth", "triangle")
PITCHES = tuple(f"{name}{octave}" for octave in (4, 5) for name in "CDEFGAB")
ENVELOPES = ("steady", "fading in", "fading out", "plucked", "pulsing", "swelling")
QUALITIES = ("major", "minor")
DIRECTIONS = ("rising", "falling")
SPEEDS = ("slow", "medium", "fast")
NOISES = ("white", "dark", "bright")
COUNTS = ("one", "two", "three", "four")

SEMITONES = {"C": -9, "D": -7, "E": -5, "F": -4, "G": -2, "A": 0, "B": 2}


def frequency(pitch: str) -> float:
    """Hertz of a named pitch in equal temperament, A4 = 440 Hz."""
    return 440.0 * 2 ** ((SEMITONES[pitch[0]] + 12 * (int(pitch[1]) - 4)) / 12)


VOCABULARY = Vocabulary(
    {
        "kind": KINDS,
        "waveform": WAVEFORMS,
        "pitch": PITCHES,
        "envelope": ENVELOPES,
        "quality": QUALITIES,
        "direction": DIRECTIONS,
        "speed": SPEEDS,
        "noise": NOISES,
        "count": COUNTS,
    },
    phrases=1,
)
