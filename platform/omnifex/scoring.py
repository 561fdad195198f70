"""Several candidates of one job, scored: the best are what it made.

A scorer is a plugin's. One that needs no model is asked for by its own name; one that does is asked
for by the name of a model that it recognises, such as a CLIP.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic

from omnifex.errors import GenerationFailed, InvalidRequest, OmnifexError, PluginError, closest
from omnifex.modality import RequestT
from omnifex.request import MAX_SEED, Request
from omnifex_registry import UnknownModel

if TYPE_CHECKING:
    from omnifex.engine.context import JobContext
    from omnifex.engine.model import LoadedModel
    from omnifex_registry import Model


class Scorer(ABC, Generic[RequestT]):
    """Says how good media of one modality are; higher is better, on a scale of its own."""

    name: str
    modality: str
    of_models = False
    """Whether it works with a model, whose name it is then asked for by."""

    def recognises(self, model: Model) -> bool:
        """Whether it can work with the model, judged by its record alone."""
        return False

    @abstractmethod
    def score(
        self, job: JobContext, media: Any, request: RequestT, model: LoadedModel | None
    ) -> float:
        """How good the media are, which are in the form that the modality's `encode` takes.

        Runs in the job's thread after `generate`; what it computes with a model are component
        calls. The request is as it was asked; `model` is None where it needs none.
        """


def judged(
    model: Model,
    request: Request,
    modality: str,
    scorers: Iterable[Scorer[Any]],
    show: Callable[[str], Model],
) -> Model:
    """The model with the one that its scorer works with beside it; refuses what is no scorer."""
    check(request)
    of_modality = [one for one in scorers if one.modality == modality]
    if request.scorer is None or plain(request.scorer, of_modality):
        return model
    try:
        other = show(request.scorer)
    except UnknownModel:
        raise InvalidRequest(
            f"there is no scorer {request.scorer!r}{known(request.scorer, of_modality)}."
        ) from None
    others = {**model.others, request.scorer: other}
    scorer_of(request, modality, of_modality, others)
    return replace(model, others=others)


def check(request: Request) -> None:
    """Refuse what contradicts itself."""
    count, keep = request.best_of or 1, request.keep or 1
    if count > 1 and request.scorer is None:
        raise InvalidRequest(f"best_of is {count}, but no scorer says which is best; name one.")
    if keep > count:
        raise InvalidRequest(f"keep is {keep}, but best_of makes {count}; keep at most that many.")


def scorer_of(
    request: Request,
    modality: str,
    scorers: Iterable[Scorer[Any]],
    others: Mapping[str, Model],
) -> Scorer[Any] | None:
    """The scorer that the request asks for, or InvalidRequest naming those that there are."""
    name = request.scorer
    if name is None:
        return None
    of_modality = [one for one in scorers if one.modality == modality]
    if found := plain(name, of_modality):
        return found
    model = others.get(name)
    if found := next((one for one in of_modality if model and works_with(one, model)), None):
        return found
    fact = f"is a {model.class_name}, which scores no {modality}" if model else "is not there"
    raise InvalidRequest(f"scorer {name!r} {fact}{known(name, of_modality)}.")


def works_with(scorer: Scorer[Any], model: Model) -> bool:
    """Whether it recognises the model; one that breaks is the plugin's fault and says so."""
    try:
        return scorer.of_models and scorer.recognises(model)
    except Exception as error:
        raise PluginError(
            f"scorer {scorer.name!r} could not look at {model.name!r}: {error}."
        ) from error


def plain(name: str, scorers: Iterable[Scorer[Any]]) -> Scorer[Any] | None:
    """The scorer of this name that needs no model."""
    return next((one for one in scorers if one.name == name and not one.of_models), None)


def known(name: str, scorers: Iterable[Scorer[Any]]) -> str:
    """What there is, as the end of a sentence."""
    names = [one.name for one in scorers if not one.of_models]
    kinds = [one.name for one in scorers if one.of_models]
    said = f"{closest(name, names)}; scorers: {', '.join(names) or 'none'}"
    return said + (f", and models of these kinds: {', '.join(kinds)}" if kinds else "")


def seed_of(seed: int, index: int) -> int:
    """Of a candidate, counted from 0: the first has the job's own, the others those after it."""
    return (seed + index) % (MAX_SEED + 1)


def score(
    scorer: Scorer[Any], job: JobContext, media: Any, request: Request, model: LoadedModel | None
) -> float:
    """A number, or an error that names the scorer."""
    try:
        found = float(scorer.score(job, media, request, model))
    except OmnifexError:
        raise
    except Exception as error:
        raise GenerationFailed(
            f"scorer {scorer.name!r} failed: {type(error).__name__}: {' '.join(str(error).split())}"
        ) from error
    if not math.isfinite(found):
        raise PluginError(f"scorer {scorer.name!r} gave {found}, which is no score")
    return found
