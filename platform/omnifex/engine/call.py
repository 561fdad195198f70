"""The component call: the unit of everything."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from omnifex.engine.acceleration.settings import own_state
from omnifex.engine.batching.signature import Reading, signature_of
from omnifex.settings import keeps_state
from omnifex_registry.kinds import kind_of

if TYPE_CHECKING:
    from omnifex.engine.context import JobContext
    from omnifex_registry import Component


# Methods that choose each token by those before it: in a batch the last bit of a number may be
# another one, and with it a token and all that follow, so that a replay would read something else.
WORD_BY_WORD = ("generate",)


@dataclass(frozen=True)
class Failure:
    """What a call raised, in place of its result."""

    error: BaseException


class ComponentCall:
    """One call that one job makes of one method of a component.

    The method may be one of a part of the module: `text_model.final_layer_norm.__call__`.
    """

    def __init__(
        self,
        job: JobContext,
        component: Component,
        method: str,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> None:
        self.job, self.component, self.method = job, component, method
        self.args, self.kwargs = args, kwargs
        self.asked_at = time.monotonic()
        self.reading = Reading((args, kwargs))
        self.adapters = job.adapters.get(component.id, ())
        self.signature = signature_of(component.id, method, self.reading, self.adapters)
        self.kind, self.rows = self.signature.kind, self.signature.rows
        self.plays = kind_of(component.role)  # asked for several times, and cheaper so

    @property
    def joinable(self) -> bool:
        """As far as the call itself can tell: all its values are known, and nothing of it stays.

        A generator may be given to it; a call that draws from one is found out and not joined.
        """
        shareable = self.reading.known and bool(self.reading.tensors)
        alone = self.job.deterministic or self.method in WORD_BY_WORD
        return shareable and not alone and not keeps_state(self.component)

    @cached_property
    def future(self) -> Future[Any]:
        """Of the result, for a job that waits for it; making one takes longer than not to wait."""
        return Future()

    def cancel(self) -> None:
        """Whoever waits for the result waits no longer; nobody may, yet."""
        if "future" in self.__dict__:
            self.future.cancel()

    def settle(self, outcome: Any) -> None:
        """Hand the result, or what was raised, to the job that waits."""
        if isinstance(outcome, Failure):
            self.future.set_exception(outcome.error)
        else:
            self.future.set_result(outcome)

    def on(self, module: Any) -> Callable[..., Any]:
        """The loaded component's method; "text_model.forward" is that of a part of it."""
        found: Callable[..., Any] = attrgetter(self.method)(module)
        return found

    def run(self, module: Any) -> Any:
        """The result, on the loaded component; what it raises says where it came from."""
        try:
            args, kwargs = self.args, self.kwargs
            if self.reading.lists:  # which a UNet empties: the call may have to run again
                args, kwargs = relisted(args), relisted(kwargs)
            if self.component.settings and keeps_state(self.component):
                with own_state(module, self.job.id, self.job.denoising_pass):
                    return self.on(module)(*args, **kwargs)
            return attrgetter(self.method)(module)(*args, **kwargs)
        except Exception as error:
            error.add_note(f"in {self}")
            raise

    def __str__(self) -> str:
        return said(self.component, self.method)


def relisted(value: Any) -> Any:
    """The same with lists of its own."""
    if isinstance(value, dict):
        return {name: relisted(item) for name, item in value.items()}
    if type(value) is list or type(value) is tuple:
        return type(value)([relisted(item) for item in value])
    return value


def said(component: Component, method: str) -> str:
    """How a call is named to people."""
    method = "" if method == "__call__" else f".{method}"
    return f"{component.role}{method} ({component.class_name})"
