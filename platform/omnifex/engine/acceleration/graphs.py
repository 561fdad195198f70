"""CUDA graphs: what a module's forward launches, recorded once and launched as one from then on.

At small sizes a backbone's time is the host's, which launches a thousand kernels a call. A graph
serves calls of one signature, from buffers of its own; so the number of graphs is bounded, and only
a signature that keeps coming gets one.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from omnifex.engine.batching.signature import Reading, mapped, replaced

log = logging.getLogger("omnifex.engine")

SIGHTINGS = 3  # of a signature, before it is worth a graph
MOST_GRAPHS = 16  # of a module; each keeps the memory of one call
WARM_UP = 2  # calls before recording, so that kernels are chosen and compiled

Work = Callable[[], Any]
Recorder = Callable[[Work], tuple[Any, Callable[[], None]]]
"""Does the work once; returns its output, and what does it again into that same output."""


def recorded_on_cuda(work: Work) -> tuple[Any, Callable[[], None]]:
    """Record on a stream of its own; other threads may use the device meanwhile."""
    aside: torch.cuda.Stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(WARM_UP):
            work()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        output = work()
    return output, graph.replay


@dataclass(frozen=True)
class Graph:
    """The recorded work of one signature, from its own input buffers to its own output."""

    inputs: Sequence[Tensor]
    output: Any
    replay: Callable[[], None]

    def __call__(self, tensors: Sequence[Tensor]) -> Any:
        for buffer, tensor in zip(self.inputs, tensors, strict=True):
            buffer.copy_(tensor)
        self.replay()
        return mapped(Tensor.clone, self.output, output=True)


class Graphs:
    """The graphs of one module."""

    def __init__(self, module: nn.Module, record: Recorder | None = None) -> None:
        self._module, self._forward, self._record = (
            module,
            module.forward,
            record or recorded_on_cuda,
        )
        self._graphs: dict[Hashable, Graph] = {}
        self._sightings: Counter[Hashable] = Counter()
        self._refused: set[Hashable] = set()
        parameters = list(module.parameters())
        self._ends = (parameters[0], parameters[-1])
        self._place: object = None
        self.enabled = True
        self.paused = False  # for calls with adapters, which it knows nothing of

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        arguments = on_device((args, kwargs), self._ends[0].device)
        reading, usable = Reading(arguments), self.enabled and not self.paused
        graph = self._graph(reading, arguments) if usable and reading.plain else None
        if graph is None:
            return self._forward(*args, **kwargs)
        return graph(reading.tensors)

    def forget(self) -> None:
        """Free what the graphs hold of the device."""
        self._graphs.clear()

    def __len__(self) -> int:
        return len(self._graphs)

    def _graph(self, reading: Reading, arguments: Any) -> Graph | None:
        """The signature's graph, recorded now where it has been seen often enough."""
        self._drop_stale()
        form = reading.form
        if form in self._graphs:
            return self._graphs[form]
        if form in self._refused or len(self._graphs) >= MOST_GRAPHS:
            return None
        self._sightings[form] += 1
        if self._sightings[form] < SIGHTINGS:
            return None
        return self._recorded(reading, arguments)

    def _recorded(self, reading: Reading, arguments: Any) -> Graph | None:
        inputs = [tensor.clone() for tensor in reading.tensors]
        args, kwargs = replaced(arguments, iter(inputs))
        try:
            output, replay = self._record(lambda: self._forward(*args, **kwargs))
        except torch.OutOfMemoryError:
            raise
        except Exception as error:
            self._refused.add(reading.form)
            why = " ".join(str(error).split())[:200]
            log.warning("%s runs without a graph: %s", type(self._module).__name__, why)
            return None
        graph = self._graphs[reading.form] = Graph(inputs, output, replay)
        return graph

    def _drop_stale(self) -> None:
        """Graphs read the weights where they lay; those that left and came back lie elsewhere."""
        place = [parameter.data_ptr() for parameter in self._ends]
        if place != self._place:
            self.forget()
            self._place = place


def on_device(arguments: Any, device: torch.device) -> Any:
    """Single numbers that lie in host memory go along: a graph could not read them anew."""

    def there(tensor: Tensor) -> Tensor:
        return tensor.to(device) if tensor.ndim == 0 else tensor

    return mapped(there, arguments)


def in_buckets(calls: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Calls in groups of 1, 2, 4, 8, …, so that as few numbers of rows as possible come up."""
    start = 0
    while left := len(calls) - start:
        size = 1 << (left.bit_length() - 1)
        yield calls[start : start + size]
        start += size
