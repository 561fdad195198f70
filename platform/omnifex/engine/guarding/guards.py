"""Plugins that misbehave: noticed at little cost, named, and kept from other jobs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import fields, is_dataclass
from math import isnan
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from omnifex.engine.batching.signature import is_plain_object
from omnifex.engine.call import ComponentCall, said
from omnifex.engine.guarding.randomness import SharedRandomness
from omnifex.errors import PluginError
from omnifex_registry import Component, Kind

WATCHED = (Kind.BACKBONE, Kind.AUTOENCODER, Kind.DECODER)  # conditioners may mask with infinity
LOOK_EVERY = 8  # calls: every look waits for the device, and is as much work as a small call
LOOK_AFTER_S = 0.25  # though no NaN is computed with for longer than that, or than one call


SEED = torch.default_generator.initial_seed  # torch's function of this name does no more


class NotANumber(ValueError):
    """Latents or media that are NaN or infinite, and spoil all that is made of them."""


class Elsewhere:
    """The time of a call: who seeds meanwhile is the program around us, and means it."""

    __slots__ = ("_random", "_seed")

    def __init__(self, randomness: SharedRandomness) -> None:
        self._random = randomness

    def __enter__(self) -> None:
        self._seed = SEED()

    def __exit__(self, *_: object) -> None:
        if SEED() != self._seed:
            self._random.renew()


class Guard:
    """What one job did with its calls, and with the random states that all jobs share."""

    def __init__(self, note: Callable[[str], None] = lambda text: None) -> None:
        self.called: dict[str, Component] = {}
        self.count = 0
        self._note = note
        self._random = SharedRandomness()
        self._elsewhere = Elsewhere(self._random)
        self._seeded: set[str] = set()
        self._sums: list[tuple[tuple[int, Component, str], Tensor]] = []
        self._looked = time.monotonic()
        self._spoiled: NotANumber | None = None

    @contextmanager
    def watching(self) -> Iterator[None]:
        """The job's Python from its first line to its last."""
        self._random.renew()
        try:
            yield
        finally:
            self._tell_seeded(self._random.put_back())

    def making(self, *, alone: bool) -> AbstractContextManager[None]:
        """A component call: the job's Python stops here, and others may go on.

        Where there are no others, no job draws from what this one may have seeded before it is
        looked at again: with its first call that is not alone, or at its end.
        """
        return self._elsewhere if alone else self._making_way()

    @contextmanager
    def _making_way(self) -> Iterator[None]:
        self._tell_seeded(self._random.put_back())
        try:
            yield
        finally:
            self._random.renew()

    def answered(self, call: ComponentCall, output: Any) -> Any:
        """The output of a call, once it is seen to be numbers."""
        self.count += 1
        self.called[call.component.id] = call.component
        if call.plays in WATCHED:
            where = self.count, call.component, call.method
            self._sums += [(where, leaf.sum(dtype=torch.float32)) for leaf in floats(output)]
            if len(self._sums) >= LOOK_EVERY or time.monotonic() > self._looked + LOOK_AFTER_S:
                self._look()
        return output

    def finish(self, media: Any) -> None:
        """NotANumber where what the job made, or made it of, is none."""
        self._look()
        if self._spoiled:  # and the plugin went on all the same
            raise self._spoiled
        if any(not bool(torch.isfinite(leaf.sum(dtype=torch.float64))) for leaf in floats(media)):
            raise NotANumber("what generate returned has NaN or infinity in it")
        if not self.count:
            self._note(
                "This job called no component: it could not be batched, nor stopped before its end."
            )

    def _look(self) -> None:
        """A sum is NaN where one of its numbers is; one wait for the device for all of them."""
        self._looked = time.monotonic()
        if not self._sums:
            return
        sums = torch.stack([total for _, total in self._sums]).tolist()
        for ((count, component, method), _), total in zip(self._sums, sums, strict=True):
            if isnan(total) and not self._spoiled:
                self._spoiled = NotANumber("its output has NaN in it")
                self._spoiled.add_note(f"in call {count}, {said(component, method)}")
        self._sums.clear()
        if self._spoiled:
            raise self._spoiled

    def _tell_seeded(self, names: Iterable[str]) -> None:
        if new := sorted({*names} - self._seeded):
            self._seeded.update(new)
            self._note(
                f"This job seeded the global random state of {' and '.join(new)}, which all jobs "
                "share; it was put back. Randomness of a job's own is in job.generator."
            )


def demand_untouched(altered: Iterable[Component]) -> None:
    """PluginError where weights that jobs share were written to while a job used them."""
    for component in altered:
        raise PluginError(
            f"the weights of {component.role} ({component.class_name}) were changed while this "
            "job ran; all jobs share them, so they are loaded anew."
        )


def floats(value: Any) -> list[Tensor]:
    """The floating tensors in an output or in media, arrays included."""
    if type(value) is Tensor:  # as most are; what is no tuple is looked through with some effort
        return [value] if value.is_floating_point() else []
    if type(value) is tuple:
        return [leaf for item in value for leaf in floats(item)]
    found = []
    for leaf in pytree.tree_leaves(value):
        if isinstance(leaf, np.ndarray) and leaf.dtype.kind == "f":
            leaf = torch.from_numpy(np.ascontiguousarray(leaf))
        if isinstance(leaf, Tensor) and leaf.is_floating_point():
            found.append(leaf)
        elif is_dataclass(leaf) and not isinstance(leaf, type):
            found += floats([getattr(leaf, field.name) for field in fields(leaf)])
        elif is_plain_object(type(leaf)):
            found += floats(list(vars(leaf).values()))
    return found
