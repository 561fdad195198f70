"""The component call: the unit of everything."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omnifex.engine.context import JobContext
    from omnifex_registry import Component


@dataclass(eq=False, slots=True)
class ComponentCall:
    """One call that one job makes of one method of a component, and the future of its result."""

    job: JobContext
    component: Component
    method: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    future: Future[Any] = field(default_factory=Future)

    def run(self, module: Any) -> Any:
        """The result, on the loaded component; what it raises says where it came from."""
        try:
            return getattr(module, self.method)(*self.args, **self.kwargs)
        except Exception as error:
            error.add_note(f"in {self}")
            raise

    def __str__(self) -> str:
        method = "" if self.method == "__call__" else f".{self.method}"
        return f"{self.component.role}{method} ({self.component.class_name})"
