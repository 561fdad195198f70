"""Waves ↔ log-mel pictures: 128 mels × 192 frames for 3 s at 24 kHz."""

from functools import cache

import torch
from torch import Tensor

RATE = 24_000  # Hz
FRAMES, MELS = 192, 128
HOP, WINDOW = 375, 2048  # samples: 64 frames a second, 11.7 Hz a bin
LOWEST, HIGHEST = 40.0, 12_000.0  # Hz
FLOOR, RANGE = -4.0, 6.0  # log10 of the mel magnitude that becomes -1, and the decades up to +1
INVERSION_STEPS = 64


@cache
def filters() -> Tensor:
    """Triangular mel filters, (WINDOW / 2 + 1, MELS)."""
    import torchaudio

    return torch.as_tensor(
        torchaudio.functional.melscale_fbanks(WINDOW // 2 + 1, LOWEST, HIGHEST, MELS, RATE)
    )


@cache
def inverse() -> Tensor:
    found: Tensor = torch.linalg.pinv(filters())
    return found


def to_mel(waves: Tensor) -> Tensor:
    """Waves (B, HOP · FRAMES) in [-1, 1] → log-mel pictures (B, 1, MELS, FRAMES) in [-1, 1]."""
    spectrum = torch.stft(
        waves, WINDOW, HOP, window=torch.hann_window(WINDOW), return_complex=True
    ).abs()[..., :FRAMES]
    mel = torch.einsum("bft,fm->bmt", spectrum, filters())
    log = torch.log10(mel.clamp_min(10**FLOOR))
    return ((log - FLOOR) / RANGE * 2 - 1).clamp(-1, 1)[:, None]


def to_wave(mel: Tensor) -> Tensor:
    """Log-mel pictures (B, 1, MELS, FRAMES) → waves (B, HOP · FRAMES).

    The magnitudes are the mel filters' pseudo-inverse; the phases are found by Griffin and Lim,
    "Signal estimation from modified short-time Fourier transform" (1984), in its fast form.
    """
    import torchaudio

    magnitude = 10 ** ((mel[:, 0].clamp(-1, 1) + 1) / 2 * RANGE + FLOOR)
    magnitude = (magnitude - 10 ** (FLOOR + 0.05)).clamp_min(0)
    spectrum = torch.einsum("bmt,mf->bft", magnitude, inverse()).clamp_min(0)
    spectrum = torch.cat([spectrum, spectrum[..., -1:]], -1)
    window, length = torch.hann_window(WINDOW), HOP * FRAMES
    with torch.random.fork_rng(devices=[]):  # its first phases come from the global generator
        torch.manual_seed(0)
        waves = torchaudio.functional.griffinlim(
            spectrum, window, WINDOW, HOP, WINDOW, 1.0, INVERSION_STEPS, 0.99, length, True
        )
    return torch.as_tensor(waves).clamp(-1, 1)
