"""The judge of every run: reads the tables and the files, and nothing of Omnifex's own code.

- each acknowledged job is there, in exactly one final state, said by exactly one event;
- each job that succeeded has its files, with the bytes that their hashes name;
- equal requests made equal bytes;
- no two claims of one job were valid at the same time.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text

FINAL = ("succeeded", "failed", "canceled")


@dataclass(frozen=True)
class History:
    """What the database says of the acknowledged jobs, row by row."""

    states: dict[str, str]
    recipes: dict[str, str]
    ends: Counter[str]  # final events of a job
    files: dict[str, list[str]]  # sha256
    attempts: dict[str, list[tuple[int, int | None, str | None]]]  # began, ended, outcome


def read(address: str) -> History:
    engine = create_engine(address)

    def rows(query: str) -> Sequence[Any]:
        with engine.connect() as db:
            return db.execute(text(query)).all()

    jobs = rows("SELECT id, state, recipe_hash FROM job")
    ends = rows("SELECT job_id FROM event WHERE kind IN ('succeeded', 'failed', 'canceled')")
    files: dict[str, list[str]] = defaultdict(list)
    for job_id, sha256 in rows("SELECT job_id, sha256 FROM job_artifact ORDER BY position"):
        files[job_id].append(sha256)
    attempts = defaultdict(list)
    claims = "SELECT job_id, started_at, ended_at, outcome FROM job_attempt ORDER BY started_at"
    for job_id, *claim in rows(claims):
        attempts[job_id].append(tuple(claim))
    engine.dispose()
    states = {row.id: row.state for row in jobs}
    recipes = {row.id: row.recipe_hash for row in jobs}
    return History(states, recipes, Counter(row.job_id for row in ends), files, attempts)


def violations(history: History, acknowledged: Sequence[str], store: Path) -> Iterator[str]:
    """One sentence each; none is what is promised."""
    for job in acknowledged:
        state = history.states.get(job)
        if state not in FINAL:
            yield f"job {job} is {state or 'gone'}"
        elif history.ends[job] != 1:
            yield f"job {job} ended {history.ends[job]} times"
        if state == "succeeded":
            yield from broken_files(job, history.files[job], store)
        yield from overlaps(job, history.attempts[job])
    made: dict[str, set[str]] = defaultdict(set)
    for job in acknowledged:
        if history.states.get(job) == "succeeded":
            made[history.recipes[job]].add(",".join(history.files[job]))
    yield from (f"recipe {recipe} made {len(m)} things" for recipe, m in made.items() if len(m) > 1)


def broken_files(job: str, files: Sequence[str], store: Path) -> Iterator[str]:
    if not files:
        yield f"job {job} succeeded without a file"
    for sha256 in files:
        found = list(store.glob(f"{sha256[:2]}/{sha256}*"))
        if not found:
            yield f"job {job}: file {sha256} is missing"
        elif hashlib.sha256(found[0].read_bytes()).hexdigest() != sha256:
            yield f"job {job}: file {sha256} has other bytes"


def overlaps(job: str, claims: Sequence[tuple[int, int | None, str | None]]) -> Iterator[str]:
    for (_, ended, _), (began, _, _) in pairwise(claims):
        if ended is None or ended > began:
            yield f"job {job} was claimed twice at {began}"
    if sum(outcome == "succeed" for _, _, outcome in claims) > 1:
        yield f"job {job} was committed twice"
