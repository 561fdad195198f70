"""The random states that a whole process shares: kept as they were, whatever a job seeds.

Jobs draw from generators of their own. A plugin that seeds the shared ones makes whatever draws
from them, in this process and later, repeat itself. To draw from them is bad manners, but harmless;
other threads of the process may do so meanwhile, and what they drew is not taken back.
"""

from __future__ import annotations

import ctypes
import random
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

WORDS = 624  # of the Mersenne twister's state, which is made anew whenever so many were drawn
MOST_DRAWN = 1000  # times that; whoever drew more is taken to have seeded
POSITION = slice(4 * WORDS, 4 * WORDS + 4)  # behind the words, in numpy's state
INDEX = struct.Struct("=i")  # before the words, in Python's


class TorchRandomness:
    """torch's generators; seeding tells itself."""

    name = "torch"

    def now(self) -> Any:
        return torch.initial_seed(), torch.get_rng_state()

    def seeded(self, before: Any, after: Any) -> bool:
        return bool(before[0] != after[0])

    def restore(self, state: Any) -> None:
        torch.set_rng_state(state[1])


class NumpyRandomness:
    """numpy's global generator, read where it lies: asking numpy for it takes 0.2 ms."""

    name = "numpy"

    def now(self) -> Any:
        found = np.random.get_bit_generator()  # type: ignore[attr-defined]  # numpy's stubs lack it
        if not isinstance(found, np.random.MT19937):  # somebody put another in its place
            return None
        return ctypes.string_at(found.ctypes.state_address, POSITION.stop)

    def seeded(self, before: Any, after: Any) -> bool:
        if before is None or after is None or before == after:
            return False
        words = np.random.MT19937()
        copy = np.random.RandomState(words)
        copy.set_state(twister(before))
        return not drawn(
            after[: POSITION.start],
            lambda: ctypes.string_at(words.ctypes.state_address, POSITION.start),
            lambda: copy.bytes(4 * WORDS),
        )

    def restore(self, state: Any) -> None:
        np.random.set_state(twister(state))


class PythonRandomness:
    """The functions of `random`, whose state is read where it lies: as a tuple it takes 15 µs.

    Where an interpreter keeps it elsewhere than CPython does, it is asked for.
    """

    name = "random"

    def __init__(self) -> None:
        self._shared: random.Random = random.seed.__self__  # type: ignore[attr-defined]
        self._lies_there = self._in_place() == in_order(self._shared.getstate())

    def now(self) -> bytes:
        return self._in_place() if self._lies_there else in_order(self._shared.getstate())

    def seeded(self, before: bytes, after: bytes) -> bool:
        if before == after:
            return False
        copy = random.Random()
        copy.setstate(as_tuple(before))
        return not drawn(
            after[INDEX.size :],
            lambda: in_order(copy.getstate())[INDEX.size :],
            lambda: copy.getrandbits(32 * WORDS),
        )

    def restore(self, state: bytes) -> None:
        self._shared.setstate(as_tuple(state))

    def _in_place(self) -> bytes:
        """The fields of CPython's object, `int index; uint32_t state[624]`, behind its head."""
        size = INDEX.size + 4 * WORDS
        if type(self._shared).__basicsize__ < object.__basicsize__ + size:
            return b""
        return ctypes.string_at(id(self._shared) + object.__basicsize__, size)


def in_order(state: Any) -> bytes:
    """What random.getstate gives, as it lies in memory."""
    *words, index = state[1]
    return struct.pack(f"=i{WORDS}I", index, *words)


def as_tuple(state: bytes) -> tuple[Any, ...]:
    """As random.setstate takes it, without the normal number that it may have kept."""
    index, *words = struct.unpack(f"=i{WORDS}I", state)
    return random.Random.VERSION, (*words, index), None


def twister(state: bytes) -> tuple[str, Any, int, int, float]:
    """The state as numpy takes it, without the half of a pair of normals that it may have kept."""
    position = int.from_bytes(state[POSITION], "little")
    return "MT19937", np.frombuffer(state[: POSITION.start], np.uint32), position, 0, 0.0


def drawn(after: Any, words: Callable[[], Any], draw: Callable[[], object]) -> bool:
    """Whether drawing alone leads to the state `after`."""
    for _ in range(MOST_DRAWN):
        if words() == after:
            return True
        draw()
    return False


class SharedRandomness:
    """What it was when a job's Python went on, to compare with when it stops."""

    ALL = (TorchRandomness(), NumpyRandomness(), PythonRandomness())

    def __init__(self) -> None:
        self._before: dict[str, Any] = {}

    def renew(self) -> None:
        """The job's Python goes on."""
        for source in self.ALL:
            self._before[source.name] = source.now()

    def put_back(self) -> list[str]:
        """The job's Python stops: the names of what it seeded, which is as before now."""
        seeded = []
        for source in self.ALL:
            if source.seeded(self._before[source.name], source.now()):
                source.restore(self._before[source.name])
                seeded.append(source.name)
        return seeded
