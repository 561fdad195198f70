"""What a job did on the devices, call by call."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omnifex.engine.watching.record import CallRecord
from omnifex_jobs import Attempt, Job, JobQueue


@dataclass(frozen=True)
class Trace:
    """The component calls of all attempts at a job, as far as they are written."""

    job: Job
    attempts: Sequence[Attempt]
    calls: Sequence[CallRecord]

    def chrome(self) -> dict[str, Any]:
        """The JSON object that ui.perfetto.dev opens; times count from the job's submission."""
        from omnifex.chrome_trace import chrome_trace

        return chrome_trace(self)

    def save(self, path: Path | str) -> Path:
        """Write the Chrome trace to a file, and say where."""
        target = Path(path)
        target.write_text(json.dumps(self.chrome()), encoding="utf-8")
        return target


def trace_of(queue: JobQueue, job_id: str) -> Trace:
    """The job's trace as it is now; or JobNotFound."""
    parts = queue.trace(job_id)
    calls = [read(call, job_id) for part in parts for call in part.calls]
    return Trace(queue.get(job_id), queue.attempts(job_id), calls)


# In the database a call is an object that leaves out what is as usual.

USUAL: Mapping[str, Any] = {
    "method": "__call__",
    "device": "cpu",
    "queued": 0.0,
    "load": 0.0,
    "run": 0.0,
    "rows": 1,
    "how": "ran",
    "peak_bytes": 0,
    "mates": [],
}


def written(record: CallRecord, job_id: str) -> dict[str, Any]:
    """The record as one of its jobs keeps it: its own wait, and the ids of its batch mates."""
    kept = {
        "component": record.component,
        "role": record.role,
        "class": record.class_name,
        "method": record.method,
        "device": record.device,
        "began": round(record.began, 6),
        "queued": round(record.queued.get(job_id, 0.0), 6),
        "load": round(record.load, 6),
        "run": round(record.run, 6),
        "rows": record.rows,
        "how": record.how,
        "peak_bytes": record.peak_bytes,
        "mates": [other for other in record.jobs if other != job_id],
    }
    return {name: value for name, value in kept.items() if value != USUAL.get(name)}


def read(call: Mapping[str, Any], job_id: str) -> CallRecord:
    """The record of a call as it was written down."""
    kept = {**USUAL, **call}
    return CallRecord(
        component=kept["component"],
        role=kept["role"],
        class_name=kept["class"],
        method=kept["method"],
        jobs=(job_id, *kept["mates"]),
        rows=kept["rows"],
        began=kept["began"],
        device=kept["device"],
        queued={job_id: kept["queued"]},
        load=kept["load"],
        run=kept["run"],
        how=kept["how"],
        peak_bytes=kept["peak_bytes"],
    )
