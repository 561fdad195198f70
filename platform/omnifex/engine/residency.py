"""Which components are in memory: each once, under its content's id, whatever models share it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any

import torch

from omnifex_registry import Component, load_component


@dataclass(frozen=True)
class Resident:
    """A component in memory; `seconds` is what loading it took."""

    component: Component
    module: Any
    seconds: float


class Residency:
    """The loaded components of one device; `dtype` None leaves the choice to the registry."""

    def __init__(self, device: torch.device, dtype: torch.dtype | None = None) -> None:
        self._device, self._dtype = device, dtype
        self._residents: dict[str, Resident] = {}
        self._loading = threading.Lock()

    def bring(self, component: Component) -> Any:
        """The component's module, loaded now where it is not resident."""
        with self._loading:
            if component.id not in self._residents:
                self._residents[component.id] = self._load(component)
            return self._residents[component.id].module

    def listing(self) -> list[Resident]:
        """What is resident, largest first."""
        return sorted(self._residents.values(), key=lambda resident: -resident.component.bytes)

    def clear(self) -> None:
        with self._loading:
            self._residents.clear()

    def _load(self, component: Component) -> Resident:
        began = time.perf_counter()
        # Weights outlive the job whose inference mode this thread may be in.
        with torch.inference_mode(False):
            module = load_component(component, device=self._device, dtype=self._dtype)
        return Resident(component, module, time.perf_counter() - began)
