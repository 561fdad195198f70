"""The component call: the unit of everything."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from omnifex.engine.acceleration.settings import own_state
from omnifex.engine.batching.signature import Reading, signature_of
from omnifex.settings import keeps_state

if TYPE_CHECKING:
    from omnifex.engine.context import JobContext
    from omnifex_registry import Component


@dataclass(frozen=True)
class Failure:
    """What a call raised, in place of its result."""

    error: BaseException


@dataclass(eq=False)
class ComponentCall:
    """One call that one job makes of one method of a component, and the future of its result.

    The method may be one of a part of the module: `text_model.final_layer_norm.__call__`.
    """

    job: JobContext
    component: Component
    method: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    future: Future[Any] = field(default_factory=Future)
    asked_at: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.reading = Reading((self.args, self.kwargs))
        self.signature = signature_of(self.component.id, self.method, self.reading)
        self.kind, self.rows = self.signature.kind, self.signature.rows
        # As far as the call itself can tell: all its values are known, and nothing of it stays.
        shareable = self.reading.plain and bool(self.reading.tensors)
        unbound = not self.job.deterministic and not keeps_state(self.component)
        self.joinable = shareable and unbound

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
            if keeps_state(self.component):
                with own_state(module, self.job.id, self.job.denoising_pass):
                    return self.on(module)(*self.args, **self.kwargs)
            return self.on(module)(*self.args, **self.kwargs)
        except Exception as error:
            error.add_note(f"in {self}")
            raise

    def __str__(self) -> str:
        return said(self.component, self.method)


def said(component: Component, method: str) -> str:
    """How a call is named to people."""
    method = "" if method == "__call__" else f".{method}"
    return f"{component.role}{method} ({component.class_name})"
