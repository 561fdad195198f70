"""Room for weights: what is held, how much is taken, and who goes when there is too little."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from omnifex.engine.memory import tiers
from omnifex.engine.memory.tiers import Tier
from omnifex.engine.memory.worth import Worth
from omnifex_registry import Component


@dataclass(eq=False)
class Held:
    """A component that is in memory, or on its way; pinned while a call uses or a thread moves it.

    `on_device` is what it takes there, or what is reserved while it is on its way.
    """

    component: Component
    size: int
    module: Any = None
    tier: Tier | None = None  # None on its way from disk
    on_device: int = 0
    on_host: int = 0
    pins: int = 0
    moving: bool = False
    makeshift: bool = False  # offloaded for the jobs of now, though it would fit
    used_at: float = 0.0
    weights: list[Tensor] = field(default_factory=list, repr=False)
    stamp: int = 0  # of the weights as they came from disk

    @property
    def ready(self) -> bool:
        """Whether a call can begin."""
        return self.tier in (Tier.DEVICE, Tier.OFFLOADED)

    @property
    def altered(self) -> bool:
        """Whether somebody wrote to its weights; offloaded ones move all the time: not known."""
        return self.tier is Tier.DEVICE and tiers.stamp(self.weights) != self.stamp

    def place(self, tier: Tier, on_device: int = 0, on_host: int = 0) -> None:
        self.tier, self.on_device, self.on_host = tier, on_device, on_host
        self.weights = tiers.weights(self.module)  # looking them up takes longer than the rest
        self.stamp = tiers.stamp(self.weights)


class Room:
    """The budget of a device, and that of host memory for what had to leave it.

    Every method but `taken` is called with `changed` held.
    """

    def __init__(self, device: torch.device, budget: int, host_budget: int, worth: Worth) -> None:
        self._device, self._worth = device, worth
        self.budget, self.host_budget = budget, host_budget
        self.held: dict[str, Held] = {}
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self._awaited = 0  # those who wait for a component to be unpinned

    @property
    def taken(self) -> int:
        """Bytes on the device, of what is on its way included."""
        return sum(held.on_device for held in list(self.held.values()))

    def by_layers(self, component: Component) -> bool:
        """Whether its settings keep it in host memory, where that is another memory."""
        return bool(self.host_budget and component.settings.get("offload"))

    def make(self, size: int, *, wait: bool = False) -> None:
        """Evict until so many bytes are free; what is pinned stays, or is waited for."""
        while self.taken + size > self.budget:
            if self.evict_least():
                continue
            if not wait or not any(held.pins and held.on_device for held in self.held.values()):
                return
            self._awaited += 1
            self.changed.wait()
            self._awaited -= 1

    def unpin(self, held: Held) -> None:
        """A call needs it no longer."""
        held.pins -= 1
        if self._awaited:  # to notify takes longer than all else here
            self.changed.notify_all()

    def evict_least(self, keep: Component | None = None) -> bool:
        """Evict what is worth least on the device; False where nothing may go."""
        kept = keep and keep.id
        here = [held for held in self.held.values() if held.on_device and not held.pins]
        free = [held for held in here if held.component.id != kept]
        if not free:
            return False
        self._evict(min(free, key=lambda held: (self._worth.of(held.component), held.used_at)))
        return True

    def end_makeshifts(self) -> None:
        """Drop what was offloaded for jobs that have ended, to come back whole."""
        for held in list(self.held.values()):
            if held.makeshift and not held.pins and not self._worth.wanted(held.component):
                self.drop(held)

    def drop(self, held: Held) -> None:
        """Leave it on disk alone."""
        del self.held[held.component.id]
        if not held.pins:  # else it lives as long as the call that uses it
            tiers.forget(held)

    def _evict(self, held: Held) -> None:
        """To host memory, where there is room for it, else to disk."""
        if held.tier is not Tier.DEVICE or not self._make_on_host(held):
            self.drop(held)
            return
        with torch.inference_mode(False):
            tiers.to_host(held.module, self._device)
        held.place(Tier.HOST, on_host=held.on_device)

    def _make_on_host(self, held: Held) -> bool:
        """Drop what is worth less from host memory, until there is room or nothing such is left."""
        if held.on_device > self.host_budget:
            return False
        worth = self._worth.of(held.component)
        there = [one for one in self.held.values() if one.tier is Tier.HOST and not one.pins]
        for one in sorted(there, key=lambda one: self._worth.of(one.component)):
            if self._host_fits(held) or self._worth.of(one.component) >= worth:
                break
            self.drop(one)
        return self._host_fits(held)

    def _host_fits(self, held: Held) -> bool:
        taken = sum(one.on_host for one in self.held.values())
        return taken + held.on_device <= self.host_budget
