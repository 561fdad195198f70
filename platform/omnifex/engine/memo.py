"""Pure calls are remembered: a text that was encoded once is not encoded again."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor

from omnifex.engine.batching.signature import Reading, mapped
from omnifex.engine.batching.steadiness import state_of
from omnifex.engine.call import ComponentCall
from omnifex_registry import Kind

BUDGET = 256 * 2**20  # bytes of outputs, in host memory
MOST_INPUT = 64 * 2**20  # bytes; hashing more costs more than it saves
TRIALS = 3  # calls in which a component may still be filling tables of its own


class Memo:
    """Outputs of pure conditioners by the content of component and inputs; the oldest are dropped.

    A deterministic job neither reads nor writes here: what is kept may come out of a batch.
    """

    def __init__(self, budget: int = BUDGET) -> None:
        self.budget, self.bytes = budget, 0
        self.purity = Purity()
        self._kept: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._changing = threading.Lock()

    def answer(
        self,
        call: ComponentCall,
        compute: Callable[[], Any],
        remembered: Callable[[ComponentCall], None] = lambda call: None,
    ) -> Any:
        """The output kept for such a call, and say so; else compute it, and keep it if it is pure.

        Each job gets tensors of its own.
        """
        if not memorable(call):
            return compute()
        key = (call.signature, digest(call.reading.tensors))
        with self._changing:
            found = self._kept.get(key)
            if found:
                self._kept.move_to_end(key)
        if found:
            remembered(call)
            own = partial(Tensor.to, device=call.job.device, copy=True)
            return mapped(own, found[0], output=True)
        output = compute()
        if self.purity.proved(call):
            self._keep(key, output)
        return output

    def clear(self) -> None:
        """Forget everything."""
        with self._changing:
            self._kept.clear()
            self.bytes = 0

    def _keep(self, key: Hashable, output: Any) -> None:
        reading = Reading(output, output=True)
        size = sum(tensor.nbytes for tensor in reading.tensors)
        if not reading.plain or size > self.budget // 4:
            return
        kept = mapped(lambda tensor: tensor.to("cpu", copy=True), output, output=True)
        with self._changing:
            if key not in self._kept:
                self._kept[key] = kept, size
                self.bytes += size
            while self.bytes > self.budget:
                _, (_, freed) = self._kept.popitem(last=False)
                self.bytes -= freed


class Purity:
    """Which components answer from their inputs alone, found out while they are called."""

    def __init__(self) -> None:
        self._pure: set[Hashable] = set()
        self._failed: Counter[Hashable] = Counter()

    def proved(self, call: ComponentCall) -> bool:
        """Whether a call of this method left the component and the global randomness as it was."""
        return place(call) in self._pure

    def asked(self, call: ComponentCall) -> bool:
        """Whether it is not known yet, and would be of use."""
        if not memorable(call):
            return False
        where = place(call)
        return where not in self._pure and self._failed[where] < TRIALS

    @contextmanager
    def watched(self, call: ComponentCall, module: Any) -> Iterator[None]:
        """Look at the module before and after a call of it."""
        where = place(call)
        before = state_of(module), random_state(call.job.device)
        yield
        if before == (state_of(module), random_state(call.job.device)):
            self._pure.add(where)
        else:
            self._failed[where] += 1


def memorable(call: ComponentCall) -> bool:
    """Whether it is worth the trouble: few inputs, and a component whose work repeats."""
    return (
        call.plays is Kind.CONDITIONER
        and not call.job.deterministic
        and call.reading.plain
        and sum(tensor.nbytes for tensor in call.reading.tensors) <= MOST_INPUT
    )


def place(call: ComponentCall) -> Hashable:
    return call.component.id, call.method


def digest(tensors: Sequence[Tensor]) -> bytes:
    """A hash of the tensors' content; shapes and dtypes are the signature's matter."""
    found = hashlib.blake2b(digest_size=32)
    for tensor in tensors:
        found.update(tensor.cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
    return found.digest()


def random_state(device: torch.device) -> bytes:
    """Of the generators that a module might draw from without being given one."""
    states = [torch.get_rng_state()]
    if device.type == "cuda":
        states.append(torch.cuda.get_rng_state(device))
    return b"".join(state.numpy().tobytes() for state in states)
