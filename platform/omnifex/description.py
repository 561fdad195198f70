"""A job as one JSON object: what the command line prints, in the words of the Python API."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from omnifex.artifact import Artifact
from omnifex.job import Job, files_of, moment
from omnifex_jobs import Job as Record
from omnifex_jobs import JobsError


def job_object(job: Job) -> dict[str, Any]:
    """All of the job, its notes and its files; times are ISO 8601 in UTC."""
    record = job.record
    return {
        **job_line(record),
        "request": dict(record.recipe["request"]),
        "rewritten_prompt": job.rewritten_prompt,
        "recipe_hash": record.recipe_hash,
        "depends_on": list(record.parents),
        "attempt": record.attempt,
        "notes": list(job.notes),
        "artifacts": [
            artifact_object(file)
            for file in files_of(job.home, record, "output", "preview", "input")
        ],
        "metrics": dict(record.metrics),
        "metadata": dict(record.metadata),
    }


def job_line(record: Record) -> dict[str, Any]:
    """What a list of jobs shows of each."""
    request = record.recipe["request"]
    return {
        "id": record.id,
        "status": str(record.state),
        "modality": record.modality,
        "model": record.model,
        "prompt": request["prompt"],
        "seed": request["seed"],
        "priority": record.priority,
        "deadline": iso(moment(record.deadline_at)) if record.deadline_at else None,
        "progress": asdict(record.progress),
        "created_at": iso(moment(record.created_at)),
        "started_at": iso(moment(record.started_at)) if record.started_at else None,
        "completed_at": iso(moment(record.completed_at)) if record.completed_at else None,
        "error": asdict(record.error) if record.error else None,
    }


def artifact_object(file: Artifact) -> dict[str, Any]:
    return {
        "role": file.role,
        "name": file.name,
        "path": path_of(file),
        "media_type": file.media_type,
        "size": file.size,
        "sha256": file.sha256,
        "meta": dict(file.meta),
    }


def path_of(file: Artifact) -> str | None:
    """Where the file is; None when somebody took it away."""
    try:
        return str(file.path)
    except JobsError:
        return None


def iso(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds")
