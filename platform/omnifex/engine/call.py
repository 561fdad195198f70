"""The component call: the unit of everything."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import cached_property
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from omnifex.engine.acceleration import own_state
from omnifex.engine.costs import CallKind
from omnifex.engine.signature import Reading, kind_of, rows_of
from omnifex.settings import keeps_state

if TYPE_CHECKING:
    from omnifex.engine.context import JobContext
    from omnifex_registry import Component

_kinds: dict[Hashable, tuple[CallKind, int]] = {}  # of signatures; the same few come every step
MOST_KINDS = 10_000


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

    @cached_property
    def reading(self) -> Reading:
        """The arguments' form and tensors."""
        return Reading((self.args, self.kwargs))

    @cached_property
    def signature(self) -> Hashable:
        """Equal for calls that may share a batch: component, method, shapes, all other values."""
        return (self.component.id, self.method, self.reading.form)

    @property
    def joinable(self) -> bool:
        """Whether it may share a batch at all, as far as the call itself can tell."""
        shareable = self.reading.plain and bool(self.reading.tensors)
        return shareable and not self.job.deterministic and not keeps_state(self.component)

    @property
    def kind(self) -> CallKind:
        """What it is to the cost model."""
        return self._measured[0]

    @property
    def rows(self) -> int:
        """How many rows it asks for."""
        return self._measured[1]

    @cached_property
    def _measured(self) -> tuple[CallKind, int]:
        known = _kinds.get(self.signature)
        if known is None:
            tensors = self.reading.tensors
            rows = rows_of(tensors)
            known = kind_of(self.component.id, self.method, tensors, rows), rows
            if len(_kinds) >= MOST_KINDS:
                _kinds.clear()
            _kinds[self.signature] = known
        return known

    def __str__(self) -> str:
        method = "" if self.method == "__call__" else f".{self.method}"
        return f"{self.component.role}{method} ({self.component.class_name})"
