"""Jobs, models and plugins as tables for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from omnifex.description import path_of
from omnifex.follow import so_far
from omnifex.job import Job, moment
from omnifex_jobs import Job as Record
from omnifex_jobs import State
from omnifex_registry import Model
from omnifex_registry.recommended import Recommended

COLOURS = {State.SUCCEEDED: "green", State.FAILED: "red", State.RUNNING: "cyan"}


def job_table(records: Sequence[Record], counts: Mapping[str, int]) -> None:
    table = Table("id", "status", "modality", "model", "age", "prompt", box=None, pad_edge=False)
    for column, width in zip(table.columns, (26, 9, 5, 5, 4), strict=False):
        column.no_wrap, column.min_width = True, width  # the prompt gives way
    table.columns[5].overflow, table.columns[5].no_wrap = "ellipsis", True
    for record in records:
        prompt = escape(str(record.recipe["request"]["prompt"]))
        table.add_row(record.id, status(record), record.modality, record.model, age(record), prompt)
    console = Console()
    if records:
        console.print(table)
    console.print(", ".join(f"{count} {state}" for state, count in counts.items()) or "no jobs")


def job_page(job: Job) -> None:
    """All of one job, a fact a line."""
    record = job.record
    facts = {
        "id": record.id,
        "status": status(record),
        "modality": record.modality,
        "model": escape(record.model),
        **{name: escape(str(value)) for name, value in record.recipe["request"].items()},
        "created": f"{moment(record.created_at):%Y-%m-%d %H:%M:%S} UTC",
        "attempt": f"{record.attempt} of {record.max_attempts}",
        "depends on": ", ".join(record.parents),
        **{name: measured(value) for name, value in record.metrics.items()},
        "error": escape(f"{record.error.code}: {record.error.message}") if record.error else "",
    }
    page = Console(soft_wrap=True, highlight=False)
    for name, value in facts.items():
        if value not in ("", "None"):
            page.print(f"{name:<16} {value}")
    for note in job.notes:
        page.print(f"{'note':<16} {escape(note)}")
    for file in (*job.inputs, *job.artifacts):
        place = path_of(file) or f"{file.name} (missing)"
        score = "" if file.score is None else f"  seed {file.meta['seed']}, score {file.score:.4g}"
        page.print(f"{file.role:<16} {escape(place)}{score}")
    for text in tracebacks(job):
        page.print(escape(text), style="dim")


def tracebacks(job: Job) -> list[str]:
    """Of attempts that met a fault of the software."""
    events = so_far(job.home.queue, job.id)
    return [event.payload["text"] for event in events if event.kind == "traceback"]


def model_table(models: Iterable[Model], builtin: Mapping[str, object]) -> None:
    table = Table("name", "kind", "size", "components", "", box=None, pad_edge=False)
    for model in models:
        source = "built in" if model.name in builtin else escape(str(model.path))
        parts = ", ".join(model.components)
        table.add_row(model.name, model.class_name, size(model.bytes), parts, source)
    Console().print(table)


def model_page(model: Model, users: Mapping[str, Sequence[str]]) -> None:
    page = Console(soft_wrap=True, highlight=False)
    page.print(f"{model.name}  {model.class_name}  {size(model.bytes)}  {escape(str(model.path))}")
    facts = {
        "version": model.version,
        "also called": ", ".join(model.aliases),
        **{name: value for name, value in model.source.items() if name != "accepted_at"},
    }
    page.print("  ".join(f"{name} {escape(str(value))}" for name, value in facts.items() if value))
    if model.settings:
        page.print("  ".join(f"{name}={value}" for name, value in model.settings.items()))
    for name, style in model.styles.items():
        page.print(escape(f"style {name}  " + "  ".join(f"{k}={v}" for k, v in style.items())))
    for role, part in model.components.items():
        kind = f"{part.library}.{part.class_name}"
        page.print(f"{role}  {kind}  {size(part.bytes)}  {part.parameters:,} parameters")
        others = [name for name in users[role] if name != model.name]
        page.print(f"  {part.id}" + (f"  also in {', '.join(others)}" if others else ""))


def recommended_table(models: Iterable[Recommended]) -> None:
    table = Table("name", "modality", "id", "licence", "memory", "", box=None, pad_edge=False)
    table.columns[2].no_wrap = True
    for model in models:
        memory = f"{model.memory_gb:g} GB"
        table.add_row(model.name, model.modality, model.id, model.licence, memory, model.about)
    Console().print(table)
    Console().print("ids, licences and sizes are from knowledge and were not fetched", style="dim")


def status(record: Record) -> str:
    word = str(record.state)
    if record.state is State.RUNNING:
        word += f" {record.progress.value:.0%}"
    return f"[{COLOURS.get(record.state, 'yellow')}]{word}[/]"


def age(record: Record) -> str:
    """How long ago the job came, in its largest unit."""
    seconds = (datetime.now(UTC) - moment(record.created_at)).total_seconds()
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def measured(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {measured(part)}" for name, part in value.items())
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def size(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"
