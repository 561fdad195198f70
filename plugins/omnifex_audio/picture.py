"""A sound as a picture: its waveform above its spectrogram, for docs and previews."""

from __future__ import annotations

import numpy as np

WAVE_HEIGHT, SPECTROGRAM_HEIGHT, GAP = 96, 208, 8
WINDOW = 2048
LOWEST_HZ = 60.0
FLOOR_DB = -70.0
_PAPER = np.array([250, 249, 246], np.float32)
_INK = np.array([74, 32, 112], np.float32)
_FLAME = np.array(  # dark to light, after matplotlib's magma
    [
        [0, 0, 4],
        [40, 17, 89],
        [114, 31, 129],
        [183, 55, 121],
        [241, 96, 93],
        [254, 176, 120],
        [252, 253, 191],
    ],
    np.float32,
)


def spectrogram_picture(samples: np.ndarray, sample_rate: int, width: int = 640) -> np.ndarray:
    """(channels, N) in [-1, 1] to (312, width, 3) uint8: time to the right, pitch upwards.

    The frequency axis is logarithmic from 60 Hz to half the sample rate, so octaves are equally
    high; the colours span 70 dB below the loudest.
    """
    mono = np.asarray(samples, np.float32).mean(axis=0)
    page = np.tile(_PAPER, (WAVE_HEIGHT + GAP + SPECTROGRAM_HEIGHT, width, 1))
    page[:WAVE_HEIGHT] = _waveform(mono, width)
    page[WAVE_HEIGHT + GAP :] = _spectrogram(mono, sample_rate, width)
    return np.rint(page).astype(np.uint8)


def _waveform(mono: np.ndarray, width: int) -> np.ndarray:
    """Each column spans the least and greatest sample of its moment, its ends blended."""
    edges = np.linspace(0, len(mono), width + 1).astype(int)
    starts = np.minimum(edges[:-1], len(mono) - 1)
    low, high = np.minimum.reduceat(mono, starts), np.maximum.reduceat(mono, starts)
    middle, scale = WAVE_HEIGHT / 2, WAVE_HEIGHT / 2 - 2
    rows = np.arange(WAVE_HEIGHT)[:, None] + 0.5
    top, bottom = middle - high * scale - 0.5, middle - low * scale + 0.5
    cover = np.clip(rows - top + 0.5, 0, 1) * np.clip(bottom - rows + 0.5, 0, 1)
    return _PAPER + cover[:, :, None] * (_INK - _PAPER)


def _spectrogram(mono: np.ndarray, sample_rate: int, width: int) -> np.ndarray:
    padded = np.pad(mono, WINDOW // 2)
    centres = np.linspace(0, len(mono) - 1, width).astype(int)
    pieces = padded[centres[:, None] + np.arange(WINDOW)] * np.hanning(WINDOW)
    power = np.abs(np.fft.rfft(pieces)).T / (WINDOW / 4)  # (frequencies, width); a full sine is 1
    pitches = np.geomspace(sample_rate / 2, LOWEST_HZ, SPECTROGRAM_HEIGHT)
    bins = pitches * WINDOW / sample_rate
    below = np.minimum(bins.astype(int), len(power) - 2)
    part = (bins - below)[:, None]
    rows = power[below] * (1 - part) + power[below + 1] * part
    decibels = 20 * np.log10(np.maximum(rows, 1e-9))
    loudest = max(float(decibels.max()), -40.0)  # a near-silent sound stays dark
    return _flame(np.clip(1 - (loudest - decibels) / -FLOOR_DB, 0, 1))


def levels_picture(levels: np.ndarray) -> np.ndarray:
    """(H, W) in [0, 1] to (H, W, 3) uint8, dark to light."""
    picture: np.ndarray = np.rint(_flame(levels)).astype(np.uint8)
    return picture


def _flame(values: np.ndarray) -> np.ndarray:
    """(H, W) in [0, 1] to (H, W, 3) colours."""
    anchors = np.linspace(0, 1, len(_FLAME))
    return np.stack([np.interp(values, anchors, _FLAME[:, band]) for band in range(3)], axis=-1)
