"""The models that a request names beside its own: control networks, adapters, scorers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from omnifex.places import marked
from omnifex.request import OtherModel, Request
from omnifex_registry import Model


def joined(model: Model, request: Request, show: Callable[[str], Model]) -> Model:
    """The model with those that the request names beside it; `show` looks one up."""
    named = marked(type(request), request.model_dump(), OtherModel)
    return replace(model, others={name: show(name) for _, _, name in named})
