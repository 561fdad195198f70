"""A job's trace in the Trace Event Format, which ui.perfetto.dev and chrome://tracing open.

Processes and threads are numbers that metadata events ("M") name: one process for the job and one
for each device, one thread for each component there. What took time is a complete event ("X") in
whole microseconds. Slices of one thread must not overlap, and do not: a job makes one call at a
time. (Format: "Trace Event Format", Google, 2016; complete events and metadata events.)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from omnifex.engine.watching.record import CallRecord

if TYPE_CHECKING:
    from omnifex.trace import Trace

SHORTEST_S = 1e-4  # of a wait or a load; less is what asking takes
Event = dict[str, Any]


@dataclass(frozen=True)
class Track:
    """A row of the viewer: a thread of a process, in its words."""

    process: int
    thread: int
    process_name: str
    name: str

    def names(self) -> Iterator[Event]:
        place = {"ph": "M", "pid": self.process, "tid": self.thread}
        yield {"name": "process_name", "args": {"name": self.process_name}, **place}
        yield {"name": "thread_name", "args": {"name": self.name}, **place}

    def slice(self, name: str, kind: str, began: float, ended: float, **told: Any) -> Event:
        """Began and ended in microseconds; `told` is shown on a click."""
        start, end = round(began), round(max(began, ended))
        what = {"ph": "X", "name": name, "cat": kind, "ts": start, "dur": end - start}
        return {**what, "pid": self.process, "tid": self.thread, "args": told}


def chrome_trace(trace: Trace) -> dict[str, Any]:
    """The whole file as a JSON object; its times count from the job's submission."""
    job, tracks = trace.job, component_tracks(trace.calls)
    own = Track(1, 1, f"job {job.id}", "attempts")
    slices = list(attempts(trace, own))
    for call in trace.calls:
        slices += parts(call, tracks[place(call)], job.id, job.created_at / 1000)
    about = {"job": job.id, "modality": job.modality, "model": job.model, "state": str(job.state)}
    return {
        "traceEvents": [*names([own, *tracks.values()]), *in_turn(slices)],
        "displayTimeUnit": "ms",
        "otherData": {**about, "submitted_at": job.created_at},
    }


def place(call: CallRecord) -> tuple[str, str]:
    return call.device, call.component


def component_tracks(calls: Iterable[CallRecord]) -> Mapping[tuple[str, str], Track]:
    """A track for each component on each device, in the order of their first calls."""
    processes: dict[str, int] = {}
    tracks: dict[tuple[str, str], Track] = {}
    for call in calls:
        process = processes.setdefault(call.device, len(processes) + 2)
        name = f"{call.role} ({call.class_name})"
        tracks.setdefault(place(call), Track(process, len(tracks) + 2, call.device, name))
    return tracks


def names(tracks: Iterable[Track]) -> Iterator[Event]:
    for track in tracks:
        yield from track.names()


def attempts(trace: Trace, track: Track) -> Iterator[Event]:
    """Each attempt and the wait before it; one that still runs lasts to its latest call."""
    submitted, free = trace.job.created_at, trace.job.created_at
    latest = max((end_of(call) * 1000 for call in trace.calls), default=0.0)
    for attempt in trace.attempts:
        ended = attempt.ended_at or round(max(latest, attempt.started_at))
        waited, began, over = (1000 * (at - submitted) for at in (free, attempt.started_at, ended))
        yield track.slice("waits for a worker", "wait", waited, began)
        told = {"worker": attempt.worker, "outcome": attempt.outcome or "running"}
        yield track.slice(f"attempt {attempt.attempt}", "attempt", began, over, **told)
        free = ended


def parts(call: CallRecord, track: Track, job_id: str, epoch: float) -> Iterator[Event]:
    """A call's wait, its component's load, its run; an answer from memory takes no time."""
    began = (call.began - epoch) * 1e6
    loaded = began + call.load * 1e6
    waited = call.queued.get(job_id, 0.0)
    if waited > SHORTEST_S:
        yield track.slice("wait", "wait", began - waited * 1e6, began)
    if call.load > SHORTEST_S:
        yield track.slice("load", "load", began, loaded)
    name = call.role if call.method == "__call__" else f"{call.role}.{call.method}"
    yield track.slice(
        name,
        call.how,
        loaded,
        loaded + call.run * 1e6,
        component=call.component,
        rows=call.rows,
        how=call.how,
        batched_with=[other for other in call.jobs if other != job_id],
        peak_bytes=call.peak_bytes,
    )


def end_of(call: CallRecord) -> float:
    return call.began + call.load + call.run


def in_turn(slices: Iterable[Event]) -> Iterator[Event]:
    """By time, and on each track one after the other, whatever two clocks make of a microsecond."""
    free: dict[tuple[int, int], int] = defaultdict(int)
    for event in sorted(slices, key=lambda event: event["ts"]):
        track = event["pid"], event["tid"]
        start = max(event["ts"], free[track])
        free[track] = max(start, event["ts"] + event["dur"])
        yield {**event, "ts": start, "dur": free[track] - start}
