"""What calls cost on each kind of device, kept for the next worker that has one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from sqlalchemy import Connection, Engine, Table, select

from omnifex_jobs.database.opening import now_ms, reading
from omnifex_jobs.database.schema_knowledge import call_cost, component_cost
from omnifex_jobs.database.upserts import insert_over


@dataclass(frozen=True, slots=True)
class CallCost:
    """A kind of call at one number of rows; `shape` leaves out the batch axis."""

    component: str
    method: str
    shape: str
    rows: int
    seconds: float
    peak_bytes: int
    count: int  # how many calls this was learned from


@dataclass(frozen=True, slots=True)
class ComponentCost:
    """How long bringing a component in takes."""

    component: str
    load_seconds: float


def known_costs(engine: Engine, device: str) -> tuple[list[CallCost], list[ComponentCost]]:
    """All that is known of this kind of device."""
    with reading(engine) as db:
        calls = _rows(db, call_cost, CallCost, device)
        return calls, _rows(db, component_cost, ComponentCost, device)


def keep_costs(
    engine: Engine, device: str, calls: Sequence[CallCost], components: Sequence[ComponentCost]
) -> None:
    """Writes what was learned over what was known."""
    if not calls and not components:
        return
    with engine.begin() as db:
        _upsert(db, call_cost, device, calls)
        _upsert(db, component_cost, device, components)


def _rows(db: Connection, table: Table, kind: Any, device: str) -> list[Any]:
    columns = [table.c[field.name] for field in fields(kind)]
    wanted = select(*columns).where(table.c.device == device)
    return [kind(*row) for row in db.execute(wanted)]


def _upsert(db: Connection, table: Table, device: str, rows: Sequence[Any]) -> None:
    if rows:
        known = {"device": device, "updated_at": _now(db)}
        db.execute(insert_over(db.dialect.name, table), [{**known, **asdict(row)} for row in rows])


def _now(db: Connection) -> int:
    return int(db.scalar(select(now_ms())) or 0)
