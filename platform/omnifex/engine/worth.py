"""What a component in memory is worth: what bringing it again costs, times how likely that is.

After GreedyDual-Size-Frequency (Cherkasova 1998), with the frequency counted in jobs, not in calls:
a text encoder is called once a job and a backbone thirty times, yet the next job needs both.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from omnifex_registry import Component
from omnifex_registry.kinds import Kind

HALF_LIFE = 16  # uses by jobs, of any component, after which a use counts half
# Until a reload was measured: the first load also imports the library of its class.
OVERHEAD_S, DISK_BYTES_PER_S = 0.01, 1e9


@dataclass
class History:
    """What became of a component in this process; it outlives its eviction."""

    loads: int = 0
    seconds: float = 0.0  # of the latest load from disk
    uses: float = 0.0  # by jobs, halved every HALF_LIFE uses of anything
    clock: int = 0  # when that was counted


@dataclass
class RunningModel:
    """The components of a running job's model, and those that it has called."""

    components: frozenset[str]
    called: set[str] = field(default_factory=set)


class Worth:
    """Keeps the histories; its owner sees to it that one thread at a time is in here."""

    def __init__(self) -> None:
        self.histories: defaultdict[str, History] = defaultdict(History)
        self._running: dict[str, RunningModel] = {}
        self._clock = 0

    def begin(self, job: str, components: Iterable[Component]) -> None:
        """A job runs from now on, whose model has these."""
        self._running[job] = RunningModel(frozenset(part.id for part in components))

    def end(self, job: str) -> None:
        self._running.pop(job, None)

    def wanted(self, component: Component) -> bool:
        """Whether a running job's model has it."""
        return any(component.id in model.components for model in self._running.values())

    def used(self, component: Component, jobs: Iterable[str]) -> None:
        """These jobs call it; each counts once."""
        for job in jobs:
            model = self._running.get(job)
            if model is None or component.id not in model.called:
                self._count(component)
            if model is not None:
                model.called.add(component.id)

    def loaded(self, component: Component, seconds: float) -> None:
        """It came from disk once more."""
        history = self.histories[component.id]
        history.loads += 1
        history.seconds = seconds

    def reload_seconds(self, component: Component) -> float:
        """What bringing it from disk takes."""
        history = self.histories[component.id]
        if history.loads > 1:
            return history.seconds
        return OVERHEAD_S + component.bytes / DISK_BYTES_PER_S

    def of(self, component: Component) -> float:
        """Seconds that a byte of it saves; the least is evicted first."""
        expected = self._recent(component) + self._needed(component)
        return self.reload_seconds(component) * expected / max(component.bytes, 1)

    def _count(self, component: Component) -> None:
        self._clock += 1
        history = self.histories[component.id]
        history.uses, history.clock = self._recent(component) + 1, self._clock

    def _recent(self, component: Component) -> float:
        history = self.histories[component.id]
        return float(history.uses * 0.5 ** ((self._clock - history.clock) / HALF_LIFE))

    def _needed(self, component: Component) -> int:
        """Running jobs that will call it: a conditioner is called at the start and never again."""
        once = component.kind == Kind.CONDITIONER
        return sum(
            component.id in model.components and not (once and component.id in model.called)
            for model in self._running.values()
        )
