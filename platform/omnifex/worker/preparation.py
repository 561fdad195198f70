"""From a claimed job's recipe to all that an engine needs to run it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnifex.errors import UnreadableInput
from omnifex.follow import notes
from omnifex.home import Home
from omnifex.inputs import FILE, JOB, given_media, named
from omnifex.media_types import fits
from omnifex.places import Place
from omnifex.recipe import component_ids, others_part, settings_part, style_then
from omnifex.request import Request, validated
from omnifex.scoring import scorer_of
from omnifex.submission import unchanged
from omnifex.versions import version
from omnifex_jobs import Artifact, Job
from omnifex_jobs.states import LOST
from omnifex_registry import Model

if TYPE_CHECKING:
    from omnifex.engine.engine import Assignment


def prepare(home: Home, job: Job) -> Assignment:
    """Everything is looked up and checked again: time has passed, and the process is another."""
    from omnifex.engine.engine import Assignment

    modality = home.plugins.modality(job.modality)
    request = validated(modality.Request, present(home, job, modality.Request), job.modality)
    model = unchanged(home, job.recipe)
    files = input_files(home, request)
    return Assignment(
        id=job.id,
        request=request,
        modality=modality,
        family=home.plugins.family(job.modality, model),
        model=model,
        seed=request.seed or 0,
        provenance=provenance(job.modality, model, request, files),
        inputs=files,
        priority=job.priority,
        deadline=None if job.deadline_at is None else on_the_clock(job.deadline_at),
        arrived=on_the_clock(max(job.created_at, job.run_at or 0)),
        style=style_then(job.recipe),
        scorer=scorer_of(request, job.modality, home.plugins.scorers, model.others),
    )


def present(home: Home, job: Job, request_type: type[Request]) -> dict[str, Any]:
    """The request's fields, less the inputs whose jobs were lost: its rule says that it runs."""
    fields = dict(job.recipe["request"])
    lost = {parent for parent in job.parents if home.queue.get(parent).state in LOST}
    media = given_media(request_type, fields)
    gone = [place for place, (_, value) in media.items() if lost & set(named(value))]
    for name in dict.fromkeys(str(place[0]) for place in gone):
        missing = ", ".join(sorted(lost & set(named(fields[name]))))
        fields[name] = without(fields[name], {place[1:2] for place in gone if place[0] == name})
        note(home, job, f"{name} is left out, as job {missing} made none.")
    return fields


def without(value: Any, gone: set[Place]) -> Any:
    """Less those of a list that are at these indices; nothing, where it is no list."""
    if not isinstance(value, list):
        return None
    return [one for index, one in enumerate(value) if (index,) not in gone]


def note(home: Home, job: Job, text: str) -> None:
    if text not in notes(home.queue, job.id):
        home.queue.event(job.id, "note", {"text": text})


def taken(home: Home, job: Job, files: Mapping[str, Path]) -> list[Artifact]:
    """The parents' files that the job used, as inputs of its own."""
    known = {file.sha256 for file in job.artifacts}
    found: dict[str, Artifact] = {}
    for reference, path in files.items():
        if reference.startswith(JOB) and path.stem not in known:
            made = home.queue.get(reference.removeprefix(JOB)).artifacts
            file = next(one for one in made if one.sha256 == path.stem)
            found[file.sha256] = replace(file, role="input", position=0)
    return list(found.values())


def on_the_clock(epoch_ms: int) -> float:
    """A moment in time as this process's monotonic clock would have it."""
    return time.monotonic() + epoch_ms / 1000 - time.time()


def input_files(home: Home, request: Request) -> dict[str, Path]:
    """The file of each reference in the request."""
    media = given_media(type(request), request.model_dump())
    return {reference: file_of(home, reference, kind) for kind, reference in media.values()}


def file_of(home: Home, reference: str, kind: str) -> Path:
    """A stored file, or the first output of a job that is of this kind, or else its preview."""
    if reference.startswith(FILE):
        return home.store.path(reference.removeprefix(FILE))
    parent = home.queue.get(reference.removeprefix(JOB))
    modality = home.plugins.modalities.get(kind)
    for role in ("output", "preview"):
        for file in parent.artifacts:
            if file.role == role and fits(file.media_type, kind, modality):
                return home.store.path(file.sha256)
    raise UnreadableInput(
        f"job {parent.id} made no {kind}, but {parent.modality}; give a job of another modality."
    )


def provenance(
    modality: str, model: Model, request: Request, files: Mapping[str, Path]
) -> dict[str, Any]:
    """What the file says about its making; no job, no time: equal seeds give equal bytes."""
    asked = request.model_dump(mode="json", exclude={"prompt", "seed"}, exclude_none=True)
    return {
        "prompt": request.prompt,
        "seed": request.seed,
        "model": model.name,
        "components": component_ids(model),
        **settings_part(model),
        **others_part(model),
        "modality": modality,
        "parameters": {name: by_content(value, files) for name, value in asked.items()},
        "omnifex": version(),
    }


def by_content(value: Any, files: Mapping[str, Path]) -> Any:
    """References named by their files' hashes, so that which job made an input is no matter."""
    if isinstance(value, list):
        return [by_content(one, files) for one in value]
    if isinstance(value, dict):
        return {name: by_content(one, files) for name, one in value.items()}
    return FILE + files[value].stem if isinstance(value, str) and value in files else value
