"""A component's adapters, switched on and off between the calls of jobs."""

from __future__ import annotations

from typing import Any, Protocol

from omnifex.engine.acceleration.graphs import Graphs
from omnifex.engine.adapters.adapter import Adapter, ImagePrompt, Words
from omnifex.engine.adapters.image_prompts import ImagePrompts
from omnifex.engine.adapters.low_rank import LowRank
from omnifex.engine.adapters.own_words import OwnWords
from omnifex_registry import Component

FITTED = "_omnifex_fitted"


class Switch(Protocol):
    """What a module has of one kind of adapters."""

    def switch(self, module: Any, component: Component, chosen: tuple[Adapter, ...], /) -> bool:
        """Switch on these of its kind and no others; whether one had to be loaded."""

    def off(self, module: Any) -> None: ...


class Fitted:
    """What a module has of adapters, by their kind, and which of them are switched on."""

    def __init__(self) -> None:
        self.active: tuple[Adapter, ...] = ()
        self.low_rank = LowRank()
        self.kinds: dict[type[Adapter], Switch] = {
            Adapter: self.low_rank,
            Words: OwnWords(),
            ImagePrompt: ImagePrompts(),
        }

    def switch(self, module: Any, component: Component, adapters: tuple[Adapter, ...]) -> bool:
        """Switch on these and no others; whether one had to be loaded."""
        loaded = False
        for kind, own in self.kinds.items():
            chosen = tuple(one for one in adapters if type(one) is kind)
            loaded |= own.switch(module, component, chosen)
        return loaded

    def off(self, module: Any) -> None:
        for own in self.kinds.values():
            own.off(module)


def fit(module: Any, component: Component, adapters: tuple[Adapter, ...]) -> bool:
    """Switch on these adapters of the module and no others; whether one had to be loaded."""
    fitted: Fitted | None = getattr(module, "__dict__", {}).get(FITTED)
    if fitted is None:
        if not adapters:
            return False
        fitted = module.__dict__[FITTED] = Fitted()
    if fitted.active == adapters:
        return False
    try:
        loaded = fitted.switch(module, component, adapters)
    except BaseException:
        fitted.active = ()
        fitted.off(module)
        raise
    fitted.active = adapters
    if isinstance(module.forward, Graphs):
        module.forward.paused = bool(adapters)
    return loaded
