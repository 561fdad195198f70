"""Schedules: the times that a flow sampler visits, from 1 (noise) to 0 (data)."""

from __future__ import annotations


def linear(steps: int) -> list[float]:
    """`steps` equal steps: steps + 1 times."""
    return [1 - i / steps for i in range(steps + 1)]


def shifted(times: list[float], shift: float) -> list[float]:
    """Dwell on the noisy end by `shift` > 1 (Esser et al. 2024, eq. 23); 1 changes nothing."""
    return [shift * t / (1 + (shift - 1) * t) for t in times]


def last_steps(total: int, strength: float) -> int:
    """How many of the last steps a start of this strength (0..1) takes: at least one."""
    return min(total, max(1, round(total * strength)))
