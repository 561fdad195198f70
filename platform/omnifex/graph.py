"""Several jobs that need each other, submitted together or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from omnifex.errors import InvalidRequest
from omnifex.home import Home
from omnifex.inputs import JOB, named
from omnifex.job import Job
from omnifex.order import checked_order, split
from omnifex.submission import Draft, draft, enqueue
from omnifex_jobs import new_id
from omnifex_jobs.errors import DependencyCycle


class Graph:
    """Collects jobs; all are written in one transaction when its `with` ends without an error.

    `submit` hands out the jobs at once, to be inputs of those that follow; they are in the database
    only after the `with`.
    """

    def __init__(self, home: Home, owner: str = "") -> None:
        self._home, self._owner = home, owner
        self._drafts: list[Draft] = []

    def __enter__(self) -> Graph:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            enqueue(self._home, self._drafts)

    def submit(self, modality: str, *, model: str | None = None, **fields: Any) -> Job:
        """As Studio.submit, but not before the `with` ends."""
        return self.add(new_id(), modality, model, fields)

    def add(self, job_id: str, modality: str, model: str | None, fields: Mapping[str, Any]) -> Job:
        """A job of this id, or the one that has the idempotency key already."""
        ordered, asked = split(fields)
        key = ordered.get("idempotency_key")
        known = self._home.queue.known(str(key)) if key else None
        order = checked_order(**ordered, owner=self._owner, id=known or job_id)
        made = draft(self._home, modality, asked, model, order)
        self._drafts.append(made)
        return Job(self._home, made.submission.id)


def submit_all(home: Home, requests: Iterable[Mapping[str, Any]], owner: str = "") -> list[Job]:
    """Jobs in their order; those with a `name` can be named by the others as `job:NAME`."""
    asked = [checked_request(number, one) for number, one in enumerate(requests, 1)]
    names = [str(one.get("name", number)) for number, one in enumerate(asked, 1)]
    for name in names:
        if names.count(name) > 1:
            raise InvalidRequest(f"two jobs are named {name!r}; give each a name of its own.")
    jobs: dict[str, Job] = {}
    with Graph(home, owner) as graph:
        for name in in_order(dict(zip(names, asked, strict=True))):
            fields = with_ids(asked[names.index(name)], jobs)
            fields.pop("name", None)
            modality, model = fields.pop("modality"), fields.pop("model", None)
            jobs[name] = graph.add(new_id(), modality, model, fields)
    return [jobs[name] for name in names]


def checked_request(number: int, request: Any) -> Mapping[str, Any]:
    if not isinstance(request, Mapping) or not isinstance(request.get("modality"), str):
        raise InvalidRequest(
            f"job {number} of the list has no modality; give each as "
            '{"modality": "image", "prompt": "…"}, with a "name" where another one needs it.'
        )
    return request


def in_order(requests: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The names, each after those that it needs; or DependencyCycle."""
    needs = {name: [n for n in named(one) if n in requests] for name, one in requests.items()}
    try:
        return list(TopologicalSorter(needs).static_order())
    except CycleError as error:
        raise DependencyCycle(list(reversed(error.args[1]))) from error


def with_ids(request: Mapping[str, Any], jobs: Mapping[str, Job]) -> dict[str, Any]:
    """The request with the names of other jobs replaced by those jobs."""
    return {name: with_jobs(value, jobs) for name, value in request.items()}


def with_jobs(value: Any, jobs: Mapping[str, Job]) -> Any:
    if isinstance(value, list | tuple):
        return [with_jobs(one, jobs) for one in value]
    if isinstance(value, str) and value.startswith(JOB):
        return jobs.get(value.removeprefix(JOB), value)
    return value
