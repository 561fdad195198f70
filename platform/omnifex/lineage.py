"""Where a job came from and what came of it, as text, Mermaid, SVG or JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omnifex.errors import InvalidRequest
from omnifex_jobs import Edge, Job
from omnifex_jobs import Lineage as Records

SHAPES = {"waits": "-->", "takes": "-->", "replay": "-. replay .->", "fork": "-. fork .->"}
SUFFIXES = ("mmd", "svg", "json")


class Lineage:
    """Jobs, the oldest first, and their edges; `records` is how the database has them."""

    def __init__(self, job_id: str, records: Records) -> None:
        self.job_id, self.records = job_id, records
        self.jobs, self.edges = records.jobs, records.edges

    def roots(self) -> list[Job]:
        """The jobs that came from none of the others."""
        children = {edge.child for edge in self.edges}
        return [job for job in self.jobs if job.id not in children]

    def children(self, job_id: str) -> Iterator[tuple[Edge, Job]]:
        """The jobs that came of one, and how."""
        jobs = {job.id: job for job in self.jobs}
        return ((edge, jobs[edge.child]) for edge in self.edges if edge.parent == job_id)

    def describe(self, job: Job) -> str:
        """A job in a few words: `image succeeded, claimed 3 times`."""
        claims = self.records.claims.get(job.id, 0)
        often = f", claimed {claims} times" if claims > 1 else ""
        return f"{job.modality} {job.state}{often}"

    def to_json(self) -> dict[str, Any]:
        """{"job", "jobs": […], "edges": […], "cut"}; `cut` says that there are more jobs."""
        jobs = [
            {
                "id": job.id,
                "modality": job.modality,
                "status": str(job.state),
                "prompt": prompt(job),
                "claims": self.records.claims.get(job.id, 0),
                "artifacts": [file.sha256 for file in job.artifacts if file.role == "output"],
            }
            for job in self.jobs
        ]
        edges = [
            {"parent": edge.parent, "child": edge.child, "kind": edge.kind} for edge in self.edges
        ]
        return {"job": self.job_id, "jobs": jobs, "edges": edges, "cut": self.records.cut}

    def to_mermaid(self) -> str:
        """A flowchart, as GitHub and mermaid.live draw it."""
        lines = ["flowchart TD"]
        for job in self.jobs:
            words = prompt(job).replace('"', "#quot;").replace("\n", " ")
            lines.append(f'    {job.id}["{self.describe(job)}<br/>{words}"]')
        lines += [f"    {edge.parent} {SHAPES[edge.kind]} {edge.child}" for edge in self.edges]
        return "\n".join([*lines, f"    style {self.job_id} stroke-width:3px", ""])

    def to_svg(self) -> str:
        """A drawing, parents above their children."""
        from omnifex.drawing import drawn

        return drawn(self)

    def save(self, path: Path | str) -> Path:
        """Write it as the file's name says: .mmd, .svg or .json."""
        target = Path(path)
        suffix = target.suffix.lower().lstrip(".")
        if suffix not in SUFFIXES:
            raise InvalidRequest(
                f"{target.name!r} is no kind of drawing; end its name in "
                f"{', '.join('.' + one for one in SUFFIXES)}."
            )
        writers = {"mmd": self.to_mermaid, "svg": self.to_svg}
        text = writers[suffix]() if suffix in writers else json.dumps(self.to_json(), indent=1)
        target.write_text(text, encoding="utf-8")
        return target


def prompt(job: Job, length: int = 60) -> str:
    """What was asked, cut to a length."""
    words = " ".join(str(job.recipe["request"]["prompt"]).split())
    return words if len(words) <= length else words[: length - 1] + "…"
