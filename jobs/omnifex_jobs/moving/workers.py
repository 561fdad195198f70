"""The processes that claim jobs, as the database knows them."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence

from sqlalchemy import Connection, insert, select, update
from ulid import ULID

from omnifex_jobs.database.conditions import in_state
from omnifex_jobs.database.opening import now_ms
from omnifex_jobs.database.schema import job, worker
from omnifex_jobs.records import Worker
from omnifex_jobs.states import RUNNING


def register(db: Connection, devices: Sequence[str], version: str) -> str:
    """Writes this process down and returns its new worker id."""
    worker_id = str(ULID())
    who = {"id": worker_id, "host": socket.gethostname(), "pid": os.getpid()}
    what = {"devices": list(devices), "version": version}
    db.execute(insert(worker).values(started_at=now_ms(), seen_at=now_ms(), **who, **what))
    return worker_id


def gone(db: Connection, worker_id: str) -> None:
    """Marks the worker as ended; what it still holds is overdue at once, for `rescue`."""
    db.execute(update(worker).where(worker.c.id == worker_id).values(gone_at=now_ms()))
    held = (in_state(RUNNING), job.c.worker == worker_id)
    db.execute(update(job).where(*held).values(lease_until=0))


def present(db: Connection) -> list[Worker]:
    """Workers that have not said goodbye, oldest first; a dead one is known by its `seen_at`."""
    here = select(worker).where(worker.c.gone_at.is_(None)).order_by(worker.c.id)
    rows = db.execute(here).mappings()
    return [Worker(**{**row, "devices": tuple(row["devices"])}) for row in rows]
