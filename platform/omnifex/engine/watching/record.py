"""What is known of a component call once it has been answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

How = Literal["ran", "failed", "replayed", "remembered"]


@dataclass(slots=True)  # not frozen, which would make it three times as slow to make
class CallRecord:
    """One run of a component, for one job or for several at once; all spans are in seconds."""

    component: str  # the id of its content
    role: str  # what it is called in the model of the first job: "transformer", "vae"
    class_name: str
    method: str
    jobs: tuple[str, ...]  # ids, in the order of their rows
    rows: int  # of the batch that ran, all jobs together
    began: float  # epoch; when it left the queue
    device: str = "cpu"
    queued: Mapping[str, float] = field(default_factory=dict)  # by job id, before `began`
    load: float = 0.0  # spent on making the component resident
    run: float = 0.0
    how: How = "ran"  # or it raised, or its answer came from the job's journal or from the memo
    peak_bytes: int = 0  # beyond what was resident; 0 where the device does not tell


Observer = Callable[[CallRecord], None]
"""Hears of every call, in the thread that ran it, while all others wait: return at once."""
