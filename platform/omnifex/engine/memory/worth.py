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

HALF_LIFE = 8  # jobs, after which a job counts half
OVERHEAD_S, DISK_BYTES_PER_S = 0.01, 1e9  # of a load, until some were measured


@dataclass
class History:
    """What became of a component in this process; it outlives its eviction."""

    loads: int = 0
    seconds: float = 0.0  # of the latest load from disk
    reload_seconds: float = 0.0  # of all but the first, which also imports the library of its class
    jobs: float = 0.0  # whose model has it; an old job counts less
    clock: int = 0  # when that was counted
    models: set[frozenset[str]] = field(default_factory=set)  # that have it, by their components


@dataclass
class RunningModel:
    """The components that a running job's model has yet to call, and those that it has called."""

    components: frozenset[str]
    called: set[str] = field(default_factory=set)


@dataclass
class Pace:
    """How fast reloads were, all together."""

    bytes: float
    seconds: float


class Worth:
    """Keeps the histories; its owner sees to it that one thread at a time is in here."""

    def __init__(self) -> None:
        self.histories: defaultdict[str, History] = defaultdict(History)
        self._running: dict[str, RunningModel] = {}
        self._clock = 0
        self._reloaded = Pace(bytes=DISK_BYTES_PER_S * OVERHEAD_S, seconds=OVERHEAD_S)

    def begin(self, job: str, components: Iterable[Component]) -> None:
        """A job runs from now on, whose model has these."""
        parts = {part.id: part for part in components}
        model = frozenset(parts)
        self._running[job] = RunningModel(model)
        self._clock += 1
        for part in parts.values():
            history = self.histories[part.id]
            history.jobs, history.clock = self._recent(part) + 1, self._clock
            history.models.add(model)

    def end(self, job: str) -> None:
        self._running.pop(job, None)

    def finished(self, job: str, components: Iterable[Component]) -> None:
        """The job is past the stage that these were for."""
        if model := self._running.get(job):
            model.components -= {part.id for part in components}

    def wanted(self, component: Component) -> bool:
        """Whether a running job's model has it."""
        return any(component.id in model.components for model in self._running.values())

    def used(self, component: Component, jobs: Iterable[str]) -> None:
        """These jobs call it."""
        for job in jobs:
            if model := self._running.get(job):
                model.called.add(component.id)

    def loaded(self, component: Component, seconds: float) -> None:
        """It came from disk once more."""
        history = self.histories[component.id]
        if history.loads:
            history.reload_seconds += seconds
            self._reloaded.bytes += component.bytes
            self._reloaded.seconds += seconds
        history.loads += 1
        history.seconds = seconds

    def reload_seconds(self, component: Component) -> float:
        """What bringing it from disk takes: its own mean, and as one more load the pace of all.

        A busy disk makes single loads slow; that must not make one component dearer than others.
        """
        history = self.histories[component.id]
        usual = component.bytes * self._reloaded.seconds / self._reloaded.bytes + OVERHEAD_S
        return (history.reload_seconds + usual) / max(history.loads, 1)

    def of(self, component: Component) -> float:
        """Seconds that a byte of it saves; the least is evicted first.

        One more job of each model is expected: while few came, what models share counts more.
        """
        models = len(self.histories[component.id].models)
        expected = self._recent(component) + self._needed(component) + models
        return self.reload_seconds(component) * expected / max(component.bytes, 1)

    def _recent(self, component: Component) -> float:
        history = self.histories[component.id]
        return float(history.jobs * 0.5 ** ((self._clock - history.clock) / HALF_LIFE))

    def _needed(self, component: Component) -> bool:
        """Whether a running job will call it: a conditioner only at its start, and never again.

        How many such jobs there are is no matter: one load serves them all.
        """
        once = component.kind == Kind.CONDITIONER
        return any(
            component.id in model.components and not (once and component.id in model.called)
            for model in self._running.values()
        )
