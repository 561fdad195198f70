"""What a job makes: its prompt put into words, then the media."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from omnifex import rewriting
from omnifex.errors import InvalidRequest
from omnifex.modality import File
from omnifex.request import Request

if TYPE_CHECKING:
    from omnifex.engine.context import JobContext
    from omnifex.engine.engine import Assignment
    from omnifex.engine.model import LoadedModel


@dataclass(frozen=True)
class Made:
    """Media, the request that they answer, and what is to be said of them beside it."""

    media: Any
    request: Request
    said: Mapping[str, Any] = field(default_factory=dict)

    def files(self, assignment: Assignment) -> list[File]:
        """Encoded; what is said of them is in their own metadata and in the database."""
        provenance = {**assignment.provenance, **self.said}
        files = assignment.modality.encode(self.media, self.request, provenance)
        if not self.said:
            return list(files)
        return [replace(file, meta={**file.meta, **self.said}) for file in files]


def make(job: JobContext, assignment: Assignment, model: LoadedModel) -> Made:
    """The media that the request asks for, by the family's `generate`."""
    request, said = worded(job, assignment, model)
    return Made(assignment.family.generate(job, request, model), request, said)


def worded(
    job: JobContext, assignment: Assignment, model: LoadedModel
) -> tuple[Request, Mapping[str, Any]]:
    """The request with the words that the family is to read, and what became of the prompt."""
    request = assignment.request
    if request.rewrite is None:
        return request, {}
    job.stage("rewriting", until=0.05)
    text = rewriting.rewritten(job, request, model, assignment.modality)
    finish(model, request.rewrite)
    if not text:
        job.note(f"rewrite {request.rewrite!r} wrote nothing; the prompt is used as it is.")
        return request, {}
    job.note(f"rewritten prompt: {text}")
    request = request.model_copy(update={"prompt": text})
    for warning in understood(assignment, request, model):
        job.note(warning)
    return request, {"rewritten_prompt": text}


def understood(assignment: Assignment, request: Request, model: LoadedModel) -> list[str]:
    """What the family has to say of the rewritten prompt; only now could it read it."""
    try:
        return assignment.family.check(request, model.record)
    except InvalidRequest as error:
        error.args = (f"the rewritten prompt {request.prompt!r} cannot be used: {error}",)
        raise


def finish(model: LoadedModel, name: str) -> None:
    """Let another model's components leave the device, but for those that this one has too."""
    other, own = model.other(name), {part.id for part in model.record.components.values()}
    parts = other.record.components.items()
    other.finished(*(role for role, part in parts if part.id not in own))
