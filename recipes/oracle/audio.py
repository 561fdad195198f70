"""Read a sound: what kind it is, and the pitch, waveform, envelope and so on that its kind has.

The sound's mel spectra are compared with those of every course of pitches that there is, and its
loudness through time with every envelope, rhythm and number of bursts.
"""

import numpy as np
import torch
from torch import Tensor

from omnifex_audio.words import frequency
from recipes.oracle.reading import Reading
from recipes.oracle.spectra import (
    CEILING,
    Words,
    compressed,
    courses,
    loudness,
    magnitudes,
    outlines,
)
from recipes.world.audio import LENGTH, RATE

PURE = frozenset({"sine", "square", "triangle"})  # these differ in their third harmonic and above


def read(wave: np.ndarray, rate: int = RATE) -> Reading:
    """Read a wave (N,) in [-1, 1] of about 3 s."""
    magnitude = magnitudes(fitted(torch.as_tensor(wave).float(), rate)[None])[0]
    words = best_course(magnitude)
    words |= best_outline(words["kind"], magnitude)
    if "speed" in words:
        words["kind"] = "rhythm"
    return Reading(words, alike=alike(words))


def fitted(wave: Tensor, rate: int) -> Tensor:
    """The wave at the world's rate and length."""
    if rate != RATE:
        import torchaudio

        wave = torch.as_tensor(torchaudio.functional.resample(wave, rate, RATE))
    return torch.nn.functional.pad(wave[:LENGTH], (0, max(0, LENGTH - len(wave))))


def best_course(magnitude: Tensor) -> Words:
    """The course whose spectra are most like the sound's, where it is loud."""
    words, spectra = courses()
    loud = magnitude.sum(1, keepdim=True).sqrt()
    likeness = spectra @ (compressed(magnitude) * loud).flatten()
    return dict(words[int(likeness.argmax())])


def best_outline(kind: str, magnitude: Tensor) -> Words:
    """The envelope, speed or count that the loudness is most like, of those the kind can have."""
    roles = {"tone": ("envelope", "speed"), "chord": ("envelope",), "noise": ("count",)}
    loud = loudness(magnitude)
    fitting = {
        told: float(outline @ loud)
        for told, outline in outlines().items()
        if told[0] in roles.get(kind, ())
    }
    return dict([max(fitting, key=lambda told: fitting[told])]) if fitting else {}


def alike(words: Words) -> dict[str, frozenset[str]]:
    """Waveforms that sound the same: in a sweep so high that it has no third harmonic."""
    if words["kind"] == "sweep" and words["waveform"] in PURE:
        top = 4 * frequency(words["pitch"])
        return {"waveform": PURE} if 3 * top > CEILING else {}
    return {}
