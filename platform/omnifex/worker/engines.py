"""The engines of a worker, one for each of its devices, made when the first job needs one."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from omnifex.device import find_devices

if TYPE_CHECKING:
    from omnifex.engine.engine import Engine
    from omnifex.engine.memory.resident import Resident


class Engines:
    """Lends each job the engine with the fewest jobs; torch is imported with the first loan."""

    def __init__(
        self,
        devices: Sequence[str] | None = None,
        prepare: Callable[[Engine], object] = lambda engine: None,
        memory: int | None = None,
    ) -> None:
        self._devices, self._prepare, self._memory = devices, prepare, memory
        self._engines: list[Engine] = []
        self._lent: Counter[Engine] = Counter()
        self._changing = threading.Lock()

    @property
    def count(self) -> int:
        """How many there are, or are known to be wanted."""
        return len(self._engines or self._devices or [None])

    @contextmanager
    def lent(self) -> Iterator[Engine]:
        """An engine to run one job on."""
        with self._changing:
            engine = min(self._made(), key=lambda engine: self._lent[engine])
            self._lent[engine] += 1
        try:
            yield engine
        finally:
            with self._changing:
                self._lent[engine] -= 1

    def residents(self) -> list[Resident]:
        """The components in memory, of all devices."""
        with self._changing:
            return [resident for engine in self._engines for resident in engine.residents()]

    def status(self) -> dict[str, Any]:
        """What `omnifex top` shows of them; nothing before the first job.

        It does not wait for engines that are being made: that takes the import of torch.
        """
        from omnifex.engine.watching.status import engine_status

        return {"engines": [engine_status(engine) for engine in list(self._engines)]}

    def close(self) -> None:
        with self._changing:
            for engine in self._engines:
                engine.close()
            self._engines.clear()

    def _made(self) -> list[Engine]:
        if not self._engines:
            from omnifex.engine.engine import Engine

            devices = self._devices or find_devices()
            self._engines = [Engine(device, memory=self._memory) for device in devices]
            for engine in self._engines:
                self._prepare(engine)
        return self._engines
