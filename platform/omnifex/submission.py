"""From what a user asks to a row in the queue: checked, with a seed, as an immutable recipe."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from omnifex import rewriting, styles
from omnifex.errors import InvalidRequest, OmnifexError, PluginError
from omnifex.follow import notes
from omnifex.home import Home
from omnifex.inputs import Inputs, given_media, named, take_in
from omnifex.limits import sameness_of, shape_of
from omnifex.modality import Family, Modality
from omnifex.order import Order, checked_order, split
from omnifex.others import joined
from omnifex.places import Place, replaced, spelt_out
from omnifex.plugins import said
from omnifex.recipe import component_ids, drift, recipe_of, style_then
from omnifex.request import MAX_SEED, Request, validated
from omnifex.scoring import judged
from omnifex.styles import Style
from omnifex_jobs import RULES, Artifact, Job, Recipe, Submission
from omnifex_registry import Model

KEPT = ("priority", "metadata", "tags", "after", "on_failure")  # of an order, by a fork
PLACE = "to be stored"  # stands for a file until the rest of the request is known to be sound


class ModelChanged(OmnifexError):
    """The model of this name has other contents than when the job was submitted."""

    code = "model_changed"

    def __init__(self, name: str, roles: Sequence[str]) -> None:
        super().__init__(
            f"model {name!r} has changed since the job was submitted ({', '.join(roles)}); put its "
            "old files back, or submit the request again."
        )


@dataclass(frozen=True)
class Draft:
    """A job to be, and what its user should know of it."""

    submission: Submission
    warnings: Sequence[str]


def submit(
    home: Home, modality: str, fields: Mapping[str, Any], model: str | None, order: Order
) -> Job:
    """Check everything that can be known now, then write the job and its notes."""
    return enqueue(home, [draft(home, modality, fields, model, order)])[0]


def draft(
    home: Home, modality: str, fields: Mapping[str, Any], model: str | None, order: Order
) -> Draft:
    """The request, checked; its files are stored."""
    asked = understood(home, modality, fields, model)
    inputs = take_in(home, asked.media)
    request = completed(asked.family, asked.request, asked.model)
    own = replaced(request.model_dump(), {**inputs.references, ("seed",): seed_of(request, order)})
    request = validated(asked.modality.Request, own, modality)
    recipe = recipe_of(home, asked.modality, asked.family, asked.model, request, asked.style)
    return Draft(submission(recipe, inputs, order), asked.warnings)


@dataclass(frozen=True)
class Asked:
    """A request that can be carried out, as far as that is known before its files are stored."""

    modality: Modality[Any]
    request: Request
    media: Mapping[Place, tuple[str, Any]]
    model: Model
    family: Family[Any]
    style: Style | None
    warnings: Sequence[str]


def understood(home: Home, modality: str, fields: Mapping[str, Any], model: str | None) -> Asked:
    """The request with all that it names; what is wrong with it is refused here."""
    chosen = home.plugins.modality(modality)
    fields = spelt_out(chosen.Request, fields)
    media = given_media(chosen.Request, fields)
    request = validated(chosen.Request, replaced(fields, dict.fromkeys(media, PLACE)), modality)
    record = joined(home.models.show(model or chosen.default_model), request, home.models.show)
    record = judged(record, request, modality, home.plugins.scorers, home.models.show)
    style = styles.chosen(request, record)
    request = styles.with_usual(request, style)
    family = home.plugins.family(modality, record)
    warnings = checked(family, chosen, request, record, style)
    return Asked(chosen, request, media, record, family, style, warnings)


def again(home: Home, job: Job) -> Job:
    """The same recipe as a new job; ModelChanged where its model is not what it was."""
    chosen = home.plugins.modality(job.modality)
    record = unchanged(home, job.recipe)
    family = home.plugins.family(job.modality, record)
    request = validated(chosen.Request, job.recipe["request"], job.modality)
    given = [file for file in job.artifacts if file.role == "input"]
    for file in given:
        home.store.path(file.sha256)  # or it could only fail later
    style = style_then(job.recipe)
    recipe = recipe_of(home, chosen, family, record, request, style)
    order = replace(order_of(home, job, job.parents), source="replay", source_id=job.id)
    warnings = [*checked(family, chosen, request, record, style), *drift(job.recipe, recipe.body)]
    return enqueue(home, [Draft(submission(recipe, Inputs(artifacts=given), order), warnings)])[0]


def fork(home: Home, job: Job, changes: Mapping[str, Any]) -> Job:
    """The same request with changes, as a new job, with the model as it is now."""
    request = job.recipe["request"]
    ordered, asked = split(changes)
    kept = order_of(home, job, [one for one in job.parents if one not in set(named(request))])
    same = {name: getattr(kept, name) for name in KEPT}
    order = checked_order(**{**same, **ordered}, owner=kept.owner)
    model = asked.pop("model", None) or job.model
    made_of = replace(order, source="fork", source_id=job.id)
    return submit(home, job.modality, {**request, **asked}, model, made_of)


def order_of(home: Home, job: Job, after: Sequence[str]) -> Order:
    """How the job was queued, for another one like it."""
    rules = [edge.on_failure for edge in home.queue.origins.parents(job.id) if edge.on_failure]
    return Order(
        priority=job.priority,
        metadata=job.metadata,
        tags=job.tags,
        after=tuple(after),
        on_failure=rules[0] if rules else RULES[0],
        owner=job.owner,
    )


def submission(recipe: Recipe, inputs: Inputs, order: Order) -> Submission:
    limits = dict(order.limits)
    if limits.get("unique_key") is True:
        limits["unique_key"] = sameness_of(recipe)
    return Submission(
        recipe,
        modality=recipe.body["modality"],
        model=recipe.body["model"],
        priority=order.priority,
        run_at=order.run_at,
        parents=[*inputs.parents, *order.after],
        metadata=order.metadata,
        idempotency_key=order.idempotency_key,
        inputs=distinct(inputs.artifacts),
        deadline_at=order.deadline_at,
        id=order.id,
        on_failure=order.on_failure,
        owner=order.owner,
        tags=order.tags,
        source=order.source,
        source_id=order.source_id,
        shape=shape_of(recipe),
        **limits,
    )


def enqueue(home: Home, drafts: Sequence[Draft]) -> list[Job]:
    """Write them all or none."""
    jobs = home.queue.submit_many([one.submission for one in drafts])
    for job, one in zip(jobs, drafts, strict=True):
        told = notes(home.queue, job.id) if one.submission.idempotency_key else ()
        for warning in dict.fromkeys(one.warnings):
            if warning not in told:
                home.queue.event(job.id, "note", {"text": warning})
    home.news.ring()
    return jobs


def checked(
    family: Family[Any],
    modality: Modality[Any],
    request: Request,
    model: Model,
    style: Style | None = None,
) -> Sequence[str]:
    """The family's warnings; a check that breaks is the plugin's fault and says so.

    What there is to say of a prompt that is still to be rewritten is said when that is done.
    """
    rewriting.check(request, model)
    with the_plugins_fault(f"family {family.name!r} could not check the request"):
        if request.rewrite is None:
            return family.check(styles.styled(request, style), model)
        check_unwritten(family, modality, request, model, style)
        return []


def check_unwritten(
    family: Family[Any],
    modality: Modality[Any],
    request: Request,
    model: Model,
    style: Style | None,
) -> None:
    """Refuse what no words would mend: the prompt may be one that the model does not understand."""
    try:
        family.check(styles.styled(request, style), model)
    except InvalidRequest as refusal:
        usual = request.model_copy(update={"prompt": modality.example_prompt})
        try:
            family.check(styles.styled(usual, style), model)
        except InvalidRequest:
            raise refusal from None


def completed(family: Family[Any], request: Request, model: Model) -> Request:
    """The request with the model's own values where the user gave none."""
    with the_plugins_fault(f"family {family.name!r} could not complete the request"):
        whole: Request = family.completed(request, model)
        return whole


@contextmanager
def the_plugins_fault(what: str) -> Iterator[None]:
    """Users' errors pass; any other becomes a PluginError that says what went wrong."""
    try:
        yield
    except OmnifexError:
        raise
    except Exception as error:
        raise PluginError(f"{what}: {said(error)}.") from error


def unchanged(home: Home, recipe: Mapping[str, Any]) -> Model:
    """The recipe's model and the others that it names, with the very components and settings."""
    model = as_it_was(home, recipe["model"], recipe)
    others = {
        name: as_it_was(home, then["model"], then)
        for name, then in recipe.get("others", {}).items()
    }
    return replace(model, others=others)


def as_it_was(home: Home, name: str, then: Mapping[str, Any]) -> Model:
    """The model with the components and settings that it had then, or ModelChanged."""
    model = home.models.holding(name, then["components"])
    now, before = component_ids(model), then["components"]
    roles = now.keys() | before.keys()
    if differing := sorted(role for role in roles if now.get(role) != before.get(role)):
        raise ModelChanged(model.name, differing)
    return replace(model, settings=then.get("settings", {}))


def seed_of(request: Request, order: Order) -> int:
    """The seed asked for, or a fresh one; who sends the same order twice gets the same one."""
    if request.seed is not None:
        return request.seed
    if order.idempotency_key is None:
        return secrets.randbelow(MAX_SEED + 1)
    digest = hashlib.sha256(order.idempotency_key.encode()).digest()
    return int.from_bytes(digest[:8], "big") % (MAX_SEED + 1)


def distinct(artifacts: Sequence[Artifact]) -> list[Artifact]:
    """Each file once, though two fields may name it."""
    return list({artifact.sha256: artifact for artifact in artifacts}.values())
