"""Mel spectra that the tones of the procedural world leave, built from those of sines.

Harmonics lie far apart against the analysis window, so the spectrum of a tone is the sum of its
harmonics' spectra. All spectra are compressed by a square root, so that quiet harmonics count.
"""

from functools import cache
from math import log2, pi

import torch
from torch import Tensor

from omnifex_audio.mel import FLOOR, FRAMES, HOP, MELS, RANGE, to_mel
from omnifex_audio.words import (
    COUNTS,
    DIRECTIONS,
    ENVELOPES,
    NOISES,
    PITCHES,
    QUALITIES,
    SPEEDS,
    WAVEFORMS,
    frequency,
)
from recipes.world.audio import RATE, THIRDS, Scene, harmonics, render

LOWEST = 200.0  # Hz
STEPS = 96  # sines an octave
OCTAVES = 6
CEILING = RATE * 0.48  # Hz: the world has no harmonics above
DRAWS = 8  # bursts of noise that are averaged


def magnitudes(waves: Tensor) -> Tensor:
    """Mel magnitudes (B, FRAMES, MELS) of waves (B, LENGTH)."""
    decades = (to_mel(waves)[:, 0] + 1) / 2 * RANGE + FLOOR
    return (10**decades - 10**FLOOR).transpose(1, 2)


@cache
def sines() -> Tensor:
    """Mel magnitudes of sines of growing pitch, (OCTAVES · STEPS, MELS)."""
    hertz = LOWEST * 2 ** (torch.arange(OCTAVES * STEPS) / STEPS)
    t = torch.arange(8 * HOP) / RATE
    waves = 0.17 * torch.sin(2 * pi * hertz.clamp_max(RATE / 2)[:, None] * t)
    return magnitudes(waves)[:, 3:6].mean(1)


def tone(waveform: str, hertz: float) -> Tensor:
    """Mel magnitudes of one tone, (MELS,)."""
    amplitude, total = harmonics(waveform), torch.zeros(MELS)
    for n in range(1, int(CEILING / hertz) + 1):
        total += abs(amplitude(n)) * sines()[round(log2(n * hertz / LOWEST) * STEPS)]
    return total


def compressed(magnitude: Tensor) -> Tensor:
    """Spectra (..., MELS) of length one, by square roots."""
    root = magnitude.clamp_min(0).sqrt()
    unit: Tensor = root / root.norm(dim=-1, keepdim=True).clamp_min(1e-6)
    return unit


def triad(pitch: str, quality: str) -> list[float]:
    return [frequency(pitch) * 2 ** (step / 12) for step in (0, THIRDS[quality], 7, 12)]


Words = dict[str, str]


@cache
def courses() -> tuple[list[Words], Tensor]:
    """Every course of spectra through 3 s: its words, and what it is like, (N, FRAMES · MELS)."""
    told = [
        *({"kind": "tone", "waveform": w, "pitch": p} for w in WAVEFORMS for p in PITCHES),
        *(
            {"kind": kind, "waveform": w, "pitch": p, "quality": q}
            for kind in ("chord", "arpeggio") for w in WAVEFORMS for p in PITCHES for q in QUALITIES
        ),
        *({"kind": "sweep", "waveform": w, "pitch": p} for w in WAVEFORMS for p in PITCHES),
        *({"kind": "noise", "noise": noise} for noise in NOISES),
    ]  # fmt: skip
    words, spectra = [], []
    for one in told:
        rising = MAKERS[one["kind"]](one)
        words.append(one)
        spectra.append(rising)
        if one["kind"] in ("sweep", "arpeggio"):
            words[-1] = one | {"direction": DIRECTIONS[0]}
            words.append(one | {"direction": DIRECTIONS[1]})
            spectra.append(falling(one["kind"], rising))
    return words, torch.stack([compressed(s).expand(FRAMES, -1).flatten() for s in spectra])


def steady(words: Words) -> Tensor:
    return tone(words["waveform"], frequency(words["pitch"]))


def chord(words: Words) -> Tensor:
    notes = triad(words["pitch"], words["quality"])[:3]
    return torch.stack([tone(words["waveform"], hertz) for hertz in notes]).sum(0)


def arpeggio(words: Words) -> Tensor:
    notes = [tone(words["waveform"], hertz) for hertz in triad(words["pitch"], words["quality"])]
    return torch.stack(notes * 3).repeat_interleave(FRAMES // 12, 0)


def sweep(words: Words) -> Tensor:
    """Rendered, because a fast harmonic is smeared over its neighbours."""
    return magnitudes(
        render([Scene("sweep", words["waveform"], words["pitch"], direction="rising")])
    )[0]


def noise(words: Words) -> Tensor:
    scenes = [Scene("noise", noise=words["noise"], count="one", seed=i) for i in range(DRAWS)]
    return magnitudes(render(scenes))[:, 5:100].mean((0, 1))


def falling(kind: str, rising: Tensor) -> Tensor:
    if kind == "sweep":
        return rising.roll(-1, 0).flip(0)
    return rising.view(3, 4, FRAMES // 12, MELS).flip(1).reshape(FRAMES, MELS)


MAKERS = {"tone": steady, "chord": chord, "arpeggio": arpeggio, "sweep": sweep, "noise": noise}


@cache
def outlines() -> dict[tuple[str, str], Tensor]:
    """How loud each frame is, (FRAMES,) of length one, by what tells it."""
    scenes = {
        **{("envelope", e): [Scene("tone", "sine", "A4", e)] for e in ENVELOPES},
        **{("speed", s): [Scene("rhythm", "sine", "A4", speed=s)] for s in SPEEDS},
        **{
            ("count", c): [Scene("noise", noise="white", count=c, seed=i) for i in range(DRAWS)]
            for c in COUNTS
        },
    }
    return {told: loudness(magnitudes(render(draws)).mean(0)) for told, draws in scenes.items()}


def loudness(magnitude: Tensor) -> Tensor:
    total = magnitude.sum(1)
    unit: Tensor = total / total.norm().clamp_min(1e-6)
    return unit
