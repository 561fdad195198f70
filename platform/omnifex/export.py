"""Jobs as a table for other programs: JSON lines, or Parquet."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import uuid4

from omnifex.description import job_line
from omnifex.errors import InvalidRequest, OmnifexError
from omnifex_jobs import Job

PAGE = 500  # jobs that are in memory at once
SUFFIXES = (".jsonl", ".parquet")

Pages = Iterator[Sequence[Job]]


class NoParquet(OmnifexError):
    """A Parquet file is asked for and the library that writes it is not installed."""

    code = "no_parquet"

    def __init__(self) -> None:
        super().__init__(
            "nothing writes Parquet here; `pip install 'omnifex[parquet]'`, or export to .jsonl."
        )


def export(path: Path, pages: Callable[[], Pages]) -> int:
    """Write the jobs to a .jsonl or .parquet file, all of it or nothing; returns how many."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InvalidRequest(f"{path.name!r} is no kind of table; end it in {', '.join(SUFFIXES)}.")
    if suffix == ".parquet" and find_spec("pyarrow") is None:
        raise NoParquet()
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{uuid4().hex[:8]}")
    try:
        count = (write_parquet if suffix == ".parquet" else write_lines)(draft, pages())
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    return count


def row(job: Job) -> dict[str, Any]:
    """All of a job in one object; what has a form of its own is an object within."""
    return {
        **job_line(job),
        "owner": job.owner,
        "tags": list(job.tags),
        "recipe_hash": job.recipe_hash,
        "request": job.recipe["request"],
        "components": job.recipe.get("components", {}),
        "environment": job.environment,
        "parents": list(job.parents),
        "source": job.source,
        "source_id": job.source_id,
        "attempt": job.attempt,
        "worker": job.worker,
        "metrics": job.metrics,
        "metadata": job.metadata,
        "artifacts": [
            {"role": file.role, "sha256": file.sha256, "media_type": file.media_type}
            for file in job.artifacts
        ],
    }


def write_lines(path: Path, pages: Pages) -> int:
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for page in pages:
            for job in page:
                file.write(json.dumps(row(job), ensure_ascii=False) + "\n")
                count += 1
    return count


def write_parquet(path: Path, pages: Pages) -> int:
    """A column a field, the same in every file: objects within are JSON texts."""
    import pyarrow
    from pyarrow import parquet

    schema, count = table_schema(pyarrow), 0
    with parquet.ParquetWriter(path, schema) as writer:
        for page in pages:
            rows = [flat(row(job), schema.names) for job in page]
            writer.write_table(pyarrow.Table.from_pylist(rows, schema))
            count += len(rows)
    return count


def table_schema(pyarrow: Any) -> Any:
    texts = ("id", "status", "modality", "model", "prompt", "owner", "recipe_hash", "source")
    objects = ("request", "components", "environment", "metrics", "metadata", "artifacts", "error")
    moments = ("created_at", "started_at", "completed_at", "deadline")
    kinds = {
        **dict.fromkeys((*texts, "source_id", "worker", *objects), pyarrow.string()),
        **dict.fromkeys(moments, pyarrow.string()),
        **dict.fromkeys(("seed", "priority", "attempt"), pyarrow.int64()),
        **dict.fromkeys(("tags", "parents"), pyarrow.list_(pyarrow.string())),
    }
    return pyarrow.schema(list(kinds.items()))


def flat(job: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Objects as JSON texts, and so lists of objects; lists of texts as they are."""
    lists = ("tags", "parents")
    return {
        name: json.dumps(job[name], ensure_ascii=False)
        if isinstance(job[name], Mapping | list) and name not in lists
        else job[name]
        for name in names
    }
