"""Sounds: tones, sweeps, chords, arpeggios, rhythms and noise, 3 s at 24 kHz."""

import random
from collections.abc import Callable
from dataclasses import asdict, dataclass
from math import pi

import torch
from torch import Tensor

from omnifex_audio import words
from omnifex_prism.vocabulary import Phrase

RATE, SECONDS = 24_000, 3.0
LENGTH = int(RATE * SECONDS)
THIRDS = {"major": 4, "minor": 3}  # semitones
BEATS = {"slow": 2, "medium": 4, "fast": 8}  # a second
LOUDNESS = 0.12  # root mean square of the loudest part


@dataclass(frozen=True)
class Scene:
    kind: str
    waveform: str | None = None
    pitch: str | None = None
    envelope: str | None = None
    quality: str | None = None
    direction: str | None = None
    speed: str | None = None
    noise: str | None = None
    count: str | None = None
    seed: int = 0  # of the noise

    def phrases(self) -> list[Phrase]:
        told = asdict(self)
        del told["seed"]
        return [{role: word for role, word in told.items() if word}]


ROLES = {
    "tone": ("waveform", "pitch", "envelope"),
    "sweep": ("waveform", "pitch", "direction"),
    "chord": ("waveform", "pitch", "envelope", "quality"),
    "arpeggio": ("waveform", "pitch", "quality", "direction"),
    "rhythm": ("waveform", "pitch", "speed"),
    "noise": ("noise", "count"),
}
CHOICES = {
    "waveform": words.WAVEFORMS,
    "pitch": words.PITCHES,
    "envelope": words.ENVELOPES,
    "quality": words.QUALITIES,
    "direction": words.DIRECTIONS,
    "speed": words.SPEEDS,
    "noise": words.NOISES,
    "count": words.COUNTS,
}


def sample(rng: random.Random) -> Scene:
    kind = rng.choice(words.KINDS)
    chosen = {role: rng.choice(CHOICES[role]) for role in ROLES[kind]}
    return Scene(kind, **chosen, seed=rng.randrange(2**31))


def harmonics(waveform: str) -> Callable[[int], float]:
    """Amplitude of each harmonic, from the Fourier series of the waveform."""
    return {
        "sine": lambda n: float(n == 1),
        "square": lambda n: (n % 2) * 4 / (pi * n),
        "sawtooth": lambda n: 2 / (pi * n),
        "triangle": lambda n: (n % 2) * 8 / (pi * n) ** 2 * (-1) ** ((n - 1) // 2),
    }[waveform]


def oscillate(waveform: str, hertz: Tensor) -> Tensor:
    """A band-limited wave whose frequency follows hertz (N,)."""
    phase = 2 * pi * torch.cumsum(hertz.double() / RATE, 0)
    amplitude, wave = harmonics(waveform), torch.zeros_like(phase)
    for n in range(1, int(RATE * 0.48 / hertz.max()) + 1):
        if level := amplitude(n):
            wave += level * torch.sin(n * phase)
    return wave.float()


def constant(hertz: float, length: int = LENGTH) -> Tensor:
    return torch.full((length,), hertz)


def shape(envelope: str) -> Tensor:
    t = torch.arange(LENGTH) / LENGTH
    return {
        "steady": torch.ones(LENGTH),
        "fading in": t**1.5,
        "fading out": (1 - t) ** 1.5,
        "plucked": torch.exp(-5 * t),
        "pulsing": 0.5 + 0.5 * torch.cos(2 * pi * 12 * t),
        "swelling": torch.sin(pi * t) ** 2,
    }[envelope]


def soften(wave: Tensor, seconds: float = 0.01) -> Tensor:
    """Ramp both ends, so that nothing clicks."""
    ramp = torch.linspace(0, 1, int(seconds * RATE))
    wave = wave.clone()
    wave[: len(ramp)] *= ramp
    wave[-len(ramp) :] *= ramp.flip(0)
    return wave


def triad(scene: Scene) -> list[float]:
    root = words.frequency(scene.pitch or "A4")
    return [root * 2 ** (s / 12) for s in (0, THIRDS[scene.quality or "major"], 7)]


def tone(scene: Scene) -> Tensor:
    wave = oscillate(scene.waveform or "sine", constant(words.frequency(scene.pitch or "A4")))
    return wave * shape(scene.envelope or "steady")


def chord(scene: Scene) -> Tensor:
    wave = sum(oscillate(scene.waveform or "sine", constant(f)) for f in triad(scene))
    return torch.as_tensor(wave) * shape(scene.envelope or "steady")


def sweep(scene: Scene) -> Tensor:
    """Two octaves upwards from the pitch, or back."""
    t = torch.arange(LENGTH) / LENGTH
    octaves = 2 * t if scene.direction == "rising" else 2 * (1 - t)
    return oscillate(scene.waveform or "sine", words.frequency(scene.pitch or "A4") * 2**octaves)


def notes(waveform: str, pitches: list[float], sounding: float) -> Tensor:
    """Equal notes, one after another, each sounding for a part of its time."""
    length = LENGTH // len(pitches)
    wave = torch.zeros(LENGTH)
    for i, hertz in enumerate(pitches):
        note = soften(oscillate(waveform, constant(hertz, int(length * sounding))))
        wave[i * length : i * length + len(note)] = note
    return wave


def arpeggio(scene: Scene) -> Tensor:
    root, third, fifth = triad(scene)
    climb = [root, third, fifth, 2 * root]
    order = climb if scene.direction == "rising" else climb[::-1]
    return notes(scene.waveform or "sine", order * 3, sounding=0.9)


def rhythm(scene: Scene) -> Tensor:
    count = int(BEATS[scene.speed or "medium"] * SECONDS)
    pitch = words.frequency(scene.pitch or "A4")
    return notes(scene.waveform or "sine", [pitch] * count, sounding=0.5)


def noise(scene: Scene) -> Tensor:
    """Bursts of noise: white, dark (1/f²) or bright (f²) in power."""
    count = words.COUNTS.index(scene.count or "one") + 1
    draw = torch.Generator().manual_seed(scene.seed)
    spectrum = torch.fft.rfft(torch.randn(LENGTH, generator=draw))
    f = torch.fft.rfftfreq(LENGTH, 1 / RATE).clamp_min(60)
    tilt = {"white": 0.0, "dark": -1.0, "bright": 1.0}[scene.noise or "white"]
    wave = torch.fft.irfft(spectrum * (f / 1000) ** tilt, LENGTH)
    length = LENGTH // count
    gate = torch.zeros(LENGTH)
    for i in range(count):
        gate[i * length : i * length + int(0.6 * length)] = 1
        gate[i * length : i * length + int(0.6 * length)] = soften(
            gate[i * length : i * length + int(0.6 * length)]
        )
    return wave * gate


MAKERS = {
    "tone": tone, "sweep": sweep, "chord": chord,
    "arpeggio": arpeggio, "rhythm": rhythm, "noise": noise,
}  # fmt: skip


def render_one(scene: Scene) -> Tensor:
    wave = soften(MAKERS[scene.kind](scene))
    loudest = wave.unfold(0, 2400, 1200).square().mean(1).max().sqrt()
    return wave * (LOUDNESS / loudest)


def render(scenes: list[Scene]) -> Tensor:
    """Render scenes as waves (N, 72000) at 24 kHz, within [-1, 1]."""
    return torch.stack([render_one(scene) for scene in scenes])
