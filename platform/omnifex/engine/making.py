"""What a job makes: its prompt put into words, then the media, or the best of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from omnifex import rewriting, scoring, styles
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


def make(job: JobContext, assignment: Assignment, model: LoadedModel) -> list[Made]:
    """The media that the request asks for, by the family's `generate`; the best first."""
    request, said = worded(job, assignment, model)
    if assignment.scorer is None:
        return [Made(assignment.family.generate(job, request, model), request, said)]
    return best(job, assignment, model, Made(None, request, said))


def best(job: JobContext, assignment: Assignment, model: LoadedModel, draft: Made) -> list[Made]:
    """The best of several candidates; of equal ones, the one that was made first.

    Each is what a job of its seed would make alone.
    """
    asked, name = assignment.request, str(assignment.request.scorer)
    scored: list[Scored] = []
    kept: list[tuple[Scored, Made]] = []
    for index in range(asked.best_of or 1):
        job.part(index, asked.best_of or 1)
        made = candidate(job, assignment, model, draft, scoring.seed_of(assignment.seed, index))
        found = Scored(job.seed, judge(job, assignment, model, made.media))
        scored.append(found)
        kept = sorted([*kept, (found, made)], key=lambda one: -one[0].score)[: asked.keep or 1]
    job.part(0, 1)
    everything = [{"seed": one.seed, "score": one.score} for one in scored]
    if len(scored) > 1:
        job.note(f"best of {len(scored)} by {name}: {told(scored)}.")
    return [
        replace(
            made,
            said={
                **made.said,
                "seed": found.seed,
                "score": found.score,
                "scorer": name,
                "scores": everything,
            },
        )
        for found, made in kept
    ]


@dataclass(frozen=True)
class Scored:
    """A candidate, by its seed, and how good it is."""

    seed: int
    score: float


def candidate(
    job: JobContext, assignment: Assignment, model: LoadedModel, draft: Made, seed: int
) -> Made:
    """What a job of this seed makes."""
    job.reseed(seed)
    request = draft.request.model_copy(update={"seed": seed})
    return replace(draft, media=assignment.family.generate(job, request, model), request=request)


def judge(job: JobContext, assignment: Assignment, model: LoadedModel, media: Any) -> float:
    assert assignment.scorer is not None, "who asks for a score names a scorer"
    name = str(assignment.request.scorer)
    other = model.other(name) if assignment.scorer.of_models else None
    job.stage("scoring", until=1.0)
    return scoring.score(assignment.scorer, job, media, assignment.request, other)


def told(scored: Sequence[Scored]) -> str:
    """The candidates, the best first."""
    ranked = sorted(scored, key=lambda one: -one.score)
    return ", ".join(f"seed {one.seed} {one.score:.4g}" for one in ranked)


def worded(
    job: JobContext, assignment: Assignment, model: LoadedModel
) -> tuple[Request, Mapping[str, Any]]:
    """The request in the words that the family is to read, and what became of the prompt.

    It is written out first; the words of the style are put around what was written.
    """
    request, style = assignment.request, assignment.style
    said: dict[str, Any] = {}
    if text := written_out(job, assignment, model):
        request = request.model_copy(update={"prompt": text})
        said["rewritten_prompt"] = text
    if style is not None:
        words = styles.texts(request, style)
        request = request.model_copy(update=words)
        said["style"] = {"name": request.style, **words}
    if request.rewrite is not None:
        for warning in understood(assignment, request, model):
            job.note(warning)
    return request, said


def written_out(job: JobContext, assignment: Assignment, model: LoadedModel) -> str:
    """The prompt as a language model wrote it out; empty where none is asked to, or does."""
    request = assignment.request
    if request.rewrite is None:
        return ""
    job.stage("rewriting", until=0.05)
    text = rewriting.rewritten(job, request, model, assignment.modality)
    finish(model, request.rewrite)
    if text:
        job.note(f"rewritten prompt: {text}")
    else:
        job.note(f"rewrite {request.rewrite!r} wrote nothing; the prompt is used as it is.")
    return text


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
