"""Several calls as one: their tensors joined on the batch axis, and the outputs split again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor

from omnifex.engine.batching.signature import Reading, replaced
from omnifex.engine.call import ComponentCall

Way = Literal["rows", "each", "shared"]
"""Of one tensor: it has the batch axis, it says one thing for all rows, or all calls share it."""


class NotSplit(Exception):
    """An output that cannot be divided among the calls."""


@dataclass(frozen=True)
class Plan:
    """How calls of one signature are joined; `outputs` are known once they were compared.

    `outputs` has, for each tensor of one call's output, its leading size, or None where all calls
    have the same tensor.
    """

    rows: int
    ways: tuple[Way, ...]
    outputs: tuple[int | None, ...] = ()

    @cached_property
    def shared(self) -> tuple[int, ...]:
        """The places of the tensors that all calls must have in common."""
        return tuple(place for place, way in enumerate(self.ways) if way == "shared")


def plans(calls: Sequence[ComponentCall]) -> Iterator[Plan]:
    """The ways in which these calls might be joined, the likeliest first."""
    rows = calls[0].rows
    choices = [ways(tensors, rows) for tensors in columns(calls)]
    if all(choices):
        yield Plan(rows, tuple(choice[0] for choice in choices))
        if any(len(choice) > 1 for choice in choices):
            yield Plan(rows, tuple(choice[-1] for choice in choices))


def ways(tensors: Sequence[Tensor], rows: int) -> list[Way]:
    """What one tensor of each call may be; a table is shared only where all have the same.

    Frames folded into the batch axis make its size a multiple of the rows: equal tensors of such a
    size may be either.
    """
    shape = tensors[0].shape
    if len(shape) == 0 or tuple(shape) == (1,):
        return ["each"]
    if shape[0] == rows:
        return ["rows"]
    found: list[Way] = ["shared"] if same(tensors) else []
    if shape[0] == 1:
        found.append("each")
    elif shape[0] % rows == 0:
        found.append("rows")
    return found


def only_shared(call: ComponentCall) -> list[int]:
    """The places of tensors that can only be shared, for they have no batch axis."""
    shapes = [tensor.shape for tensor in call.reading.tensors]
    return [
        place
        for place, shape in enumerate(shapes)
        if len(shape) and shape[0] != 1 and shape[0] % call.rows
    ]


def columns(calls: Sequence[ComponentCall]) -> Iterator[tuple[Tensor, ...]]:
    """For each tensor of a call, those of all calls."""
    return zip(*(call.reading.tensors for call in calls), strict=True)


def column(calls: Sequence[ComponentCall], place: int) -> list[Tensor]:
    return [call.reading.tensors[place] for call in calls]


def same(tensors: Sequence[Tensor]) -> bool:
    first, *others = tensors
    return all(other is first or torch.equal(other, first) for other in others)


def joined(plan: Plan, calls: Sequence[ComponentCall]) -> Any:
    """The arguments (args, kwargs) of the one call."""
    pairs = zip(plan.ways, columns(calls), strict=True)
    batch = [join(way, tensors, plan.rows) for way, tensors in pairs]
    return replaced((calls[0].args, calls[0].kwargs), iter(batch))


def join(way: Way, tensors: tuple[Tensor, ...], rows: int) -> Tensor:
    if way == "shared":
        return tensors[0]
    if way == "rows":
        return torch.cat(tensors)
    each = torch.stack(tensors) if tensors[0].ndim == 0 else torch.cat(tensors)
    return each if rows == 1 else each.repeat_interleave(rows, dim=0)


def split(plan: Plan, output: Any, count: int) -> list[Any]:
    """Each call's part of the joined output; NotSplit where it is not of the proved shape."""
    reading = Reading(output, output=True)
    if not reading.plain or len(reading.tensors) != len(plan.outputs):
        raise NotSplit
    parts = [
        divided(tensor, size, count)
        for tensor, size in zip(reading.tensors, plan.outputs, strict=True)
    ]
    return [replaced(output, iter([part[i] for part in parts]), output=True) for i in range(count)]


def divided(tensor: Tensor, size: int | None, count: int) -> Sequence[Tensor]:
    """One tensor for each call; of a shared one, a copy, lest one job changes another's."""
    if size is None:
        return [tensor, *(tensor.clone() for _ in range(count - 1))]
    if tensor.ndim == 0 or tensor.shape[0] != size * count:
        raise NotSplit
    return torch.split(tensor, size)


def sizes(alone: Any, together: Any, count: int) -> tuple[int | None, ...] | None:
    """`Plan.outputs`, out of one call's own output and the joined one; None where they differ."""
    one, all_ = (Reading(output, output=True) for output in (alone, together))
    if not (one.plain and all_.plain) or len(one.tensors) != len(all_.tensors):
        return None
    found: list[int | None] = []
    for mine, ours in zip(one.tensors, all_.tensors, strict=True):
        if mine.shape == ours.shape:
            found.append(None)
        elif mine.shape[1:] == ours.shape[1:] and ours.shape[0] == count * mine.shape[0]:
            found.append(mine.shape[0])
        else:
            return None
    return tuple(found)
