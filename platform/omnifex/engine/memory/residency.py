"""Which components are in memory: each once, under its content's id, within one budget for all."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn

from omnifex.engine.acceleration.settings import accelerate, forget, loadable
from omnifex.engine.memory import tiers
from omnifex.engine.memory.resident import Resident, TooLarge
from omnifex.engine.memory.room import Held, Room
from omnifex.engine.memory.shortage import ran_out
from omnifex.engine.memory.tiers import Tier
from omnifex.engine.memory.worth import Worth
from omnifex.engine.scheduling.costs import CostModel
from omnifex.settings import keeps_state
from omnifex_registry import Component, dtype_of, load_component


class Use:
    """A component's module for the time inside. Every call makes one, so it is a class: a generator
    would cost three times as much."""

    __slots__ = ("_asked", "_held", "_residency")

    def __init__(
        self, residency: Residency, component: Component, need: int, jobs: Sequence[str]
    ) -> None:
        self._residency, self._asked = residency, (component, need, jobs)

    def __enter__(self) -> Any:
        self._held = self._residency.pin(*self._asked)
        return self._held.module

    def __exit__(self, *_: object) -> None:
        self._residency.unpin(self._held)


class Residency:
    """The components of one device. `dtype` None leaves the choice to the registry.

    `budget` is in bytes, for all weights together and what calls need beside them; None takes what
    the device has free. `host_budget` is for what had to leave an accelerator; where it is 0,
    components go straight back to disk, and one that is larger than the budget is refused.
    """

    def __init__(
        self,
        device: torch.device,
        dtype: torch.dtype | None = None,
        budget: int | None = None,
        host_budget: int | None = None,
        costs: CostModel | None = None,
    ) -> None:
        self.device, self._dtype, self._costs = device, dtype, costs or CostModel()
        budget = tiers.device_budget(device) if budget is None else budget
        host_budget = tiers.host_budget(device) if host_budget is None else host_budget
        self._worth = Worth()
        self._room = Room(device, budget, host_budget, self._worth)
        self._changed = self._room.changed

    def using(self, component: Component, need: int = 0, jobs: Sequence[str] = ()) -> Use:
        """The component's module, on the device and not evicted meanwhile, for a call of `jobs`.

        `need` bytes beside the weights are made free as far as evicting can.
        """
        return Use(self, component, need, jobs)

    def bring(self, component: Component) -> Any:
        """The component's module, loaded now where it is not resident; it may leave again."""
        with self.using(component) as module:
            return module

    def adopt(self, component: Component, module: Any) -> None:
        """Hold a module that was made here and not loaded, of random weights say; it stays."""
        with self._changed:
            held = self._settled(component)
            held.module, held.size = module, tiers.held_bytes(module)
            held.pins += 1
            held.place(Tier.DEVICE, on_device=held.size)
        accelerate(module, component, self.device)

    @contextmanager
    def expecting(self, job: str, components: Iterable[Component]) -> Iterator[None]:
        """Keep what a running job's model has rather than what no job needs."""
        with self._changed:
            self._worth.begin(job, components)
        try:
            yield
        finally:
            with self._changed:
                self._worth.end(job)
                for component in filter(keeps_state, components):
                    if held := self._room.held.get(component.id):
                        forget(held.module, job)
                self._room.end_makeshifts()

    def finished(self, job: str, components: Iterable[Component]) -> None:
        """The running job calls these no more."""
        with self._changed:
            self._worth.finished(job, components)

    def seconds_to_bring(self, component: Component) -> float:
        """What a call waits before it can begin: nothing where the component is resident.

        Before its first load here it is what earlier processes learned of it.
        """
        held = self._room.held.get(component.id)
        if held is None or held.tier is None:
            learned = None if self.loads_of(component) else self._costs.load_seconds(component.id)
            return self._worth.reload_seconds(component) if learned is None else learned
        return 0.0 if held.ready else held.on_host / tiers.HOST_BYTES_PER_S

    def dtype_of(self, component: Component) -> torch.dtype:
        """The floating type that it computes in, known without loading it."""
        return dtype_of(component, self.device, self._dtype)

    @property
    def budget(self) -> int:
        """Bytes for weights and what calls need beside them."""
        return self._room.budget

    @property
    def taken(self) -> int:
        """Bytes of it that weights take."""
        return self._room.taken

    @property
    def loads(self) -> int:
        """How often a component came from disk."""
        return sum(history.loads for history in list(self._worth.histories.values()))

    def loads_of(self, component: Component) -> int:
        """How often this one did."""
        return self._worth.histories[component.id].loads

    @property
    def reloads(self) -> int:
        """How many of these loads were of a component that had been here before."""
        histories = list(self._worth.histories.values())
        return sum(max(0, history.loads - 1) for history in histories)

    def listing(self) -> list[Resident]:
        """What is in memory, largest first."""
        found = [self._resident(held) for held in list(self._room.held.values())]
        return sorted(filter(None, found), key=lambda resident: -resident.component.bytes)

    def grown(self, component: Component) -> None:
        """A call has added to what the component takes; others make room for it."""
        with self._changed:
            if (held := self._room.held.get(component.id)) and held.tier is Tier.DEVICE:
                held.on_device = tiers.held_bytes(held.module)
                self._room.make(0)

    def empty(self, keep: Component) -> None:
        """Evict all that no call is using but one, and free what torch keeps for later."""
        with self._changed:
            while self._room.evict_least(keep):
                pass
        tiers.free_caches(self.device)

    def offload(self, component: Component) -> bool:
        """Take the component to the device a layer at a time, until the jobs of now have ended.

        False where that cannot be done, or would change nothing.
        """
        with self._changed:
            held = self._room.held.get(component.id)
            if held is None or held.tier is not Tier.DEVICE or held.pins:
                return False
            if not self._room.host_budget or not isinstance(held.module, nn.Module):
                return False
            with torch.inference_mode(False):
                tiers.to_host(held.module, self.device)
                self._offloaded(held)
            held.makeshift = True
            return True

    def altered(self, components: Iterable[Component]) -> list[Component]:
        """Those whose weights are not what came from disk; they are dropped, to be loaded anew."""
        with self._changed:
            found = [self._room.held.get(component.id) for component in components]
            altered = [held for held in found if held and held.altered]
            for held in altered:
                self._room.drop(held)
            return [held.component for held in altered]

    def clear(self) -> None:
        """Forget everything; what a call is using lives as long as the call."""
        with self._changed:
            for held in list(self._room.held.values()):
                self._room.drop(held)

    # Pins

    def pin(self, component: Component, need: int, jobs: Sequence[str]) -> Held:
        """Bring the component in, and keep it until it is unpinned as often."""
        with self._room.lock:
            held = self._room.held.get(component.id)
            if held is None or held.moving:
                held = self._settled(component)
            held.pins += 1
            held.used_at = time.time()
            self._worth.used(component, jobs)
            if held.ready:
                if need:
                    self._room.make(need)
                return held
            held.moving = True
        try:
            self._bring_in(held, need)
        except BaseException:
            self._room.held.pop(component.id, None)
            raise
        finally:
            with self._changed:
                held.moving = False
                self._changed.notify_all()
        return held

    def unpin(self, held: Held) -> None:
        with self._room.lock:
            self._room.unpin(held)

    def _settled(self, component: Component) -> Held:
        """Its entry, once no other thread is moving it."""
        while (held := self._room.held.get(component.id)) and held.moving:
            self._changed.wait()
        if held is None:
            size = tiers.expected_bytes(component, self.device, self._dtype)
            held = self._room.held[component.id] = Held(component, size)
        return held

    # Bringing in, by the one thread that marked the entry as moving

    def _bring_in(self, held: Held, need: int) -> None:
        fits = held.size <= self.budget and not self._room.by_layers(held.component)
        if not fits and not self._room.host_budget:
            raise TooLarge(held.component, held.size, self.budget, self.device)
        if fits:
            self._reserve(held, need)
        # Weights outlive the job whose inference mode this thread may be in.
        with torch.inference_mode(False):
            if held.tier is Tier.HOST:
                tiers.to_device(held.module, self.device)
            else:
                self._load(held, self.device if fits else tiers.CPU)
            accelerate(held.module, held.component, self.device)
            if fits:
                held.place(Tier.DEVICE, on_device=tiers.held_bytes(held.module))
            else:
                self._offloaded(held)

    def _reserve(self, held: Held, need: int) -> None:
        """Room for the weights is waited for; what the call needs beside them is only wished."""
        with self._changed:
            self._room.make(held.size, wait=True)
            self._room.make(held.size + need)
            held.on_device = held.size

    def _load(self, held: Held, device: torch.device) -> None:
        began = time.perf_counter()
        dtype = self.dtype_of(held.component)
        component = loadable(held.component, self.device)
        load = partial(load_component, component, device=device, dtype=dtype)
        try:
            held.module = load()
        except Exception as error:
            if not ran_out(error):
                raise
        if held.module is None:  # the device is fuller than we know: others use it too
            self.empty(keep=held.component)
            held.module = load()
        seconds = time.perf_counter() - began
        self._costs.observe_load(held.component.id, seconds)
        with self._changed:
            self._worth.loaded(held.component, seconds)

    def _offloaded(self, held: Held) -> None:
        on_device = tiers.offload(held.module, self.device)
        held.place(Tier.OFFLOADED, on_device, tiers.held_bytes(held.module))

    def _resident(self, held: Held) -> Resident | None:
        if held.tier is None:
            return None
        history = self._worth.histories[held.component.id]
        size = held.on_host or held.on_device
        return Resident(
            held.component, history.seconds, held.tier, size, held.used_at, history.loads
        )
