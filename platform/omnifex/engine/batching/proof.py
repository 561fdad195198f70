"""Proof that joined calls give what each gives alone: no batch is ever built on a guess.

The first calls of a signature that could share a batch run alone, and once more joined. Where the
outputs agree, later calls of that signature are joined; where they differ, never again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from omnifex.engine.batching.joining import (
    NotSplit,
    Plan,
    column,
    only_shared,
    plans,
    same,
    sizes,
    split,
)
from omnifex.engine.batching.signature import Reading
from omnifex.engine.batching.steadiness import state_of
from omnifex.engine.call import ComponentCall, Failure
from omnifex.engine.memory.shortage import ran_out

log = logging.getLogger("omnifex.engine")

Alone = Callable[[ComponentCall], Any]
Together = Callable[[Plan, Sequence[ComponentCall]], Any]

# The largest difference, as a share of the output's root mean square. A wrong batch axis moves it
# by a hundredth and more.
TOLERANCES = {
    torch.float64: 1e-10,
    torch.float32: 1e-4,
    torch.float16: 3e-2,
    torch.bfloat16: 2e-1,
}
TF32_TOLERANCE = 2e-2  # CUDA's float32 convolutions compute with ten bits
MEAN_SHARE = 0.1  # the mean difference is held to so much of the largest


@dataclass(frozen=True)
class Verdict:
    """What the proof of a signature found; without a plan it is never joined.

    It holds for what was different between the calls compared. The tensors at the places `untried`
    were the same in all of them.
    """

    plan: Plan | None
    untried: frozenset[int] = frozenset()


class Proofs:
    """The verdicts of one engine, by signature."""

    def __init__(self) -> None:
        self._verdicts: dict[Hashable, Verdict] = {}

    def promising(self, call: ComponentCall) -> bool:
        """Whether the call may share a batch, as far as is known."""
        if not call.joinable:
            return False
        known = self._verdicts.get(call.signature)
        return known is None or known.plan is not None

    def groups(self, calls: Sequence[ComponentCall]) -> list[list[ComponentCall]]:
        """Calls of one signature apart by the tables that they must share."""
        known = self._verdicts.get(calls[0].signature)
        places = known.plan.shared if known and known.plan else only_shared(calls[0])
        return alike(calls, places) if places else [list(calls)]

    def plan(self, calls: Sequence[ComponentCall]) -> Plan | None:
        """How to join these calls, where that is proved for all in which they differ."""
        known = self._verdicts.get(calls[0].signature)
        if known is None or (known.untried and varying(calls, known.untried)):
            return None
        return known.plan

    def prove(
        self, calls: Sequence[ComponentCall], module: Any, alone: Alone, together: Together
    ) -> list[Any]:
        """Each call's outcome alone; whether joining gives the same is found out beside it."""
        first, *others = calls
        outcomes = [alone(first)]  # a module may fill tables of its own when it is first called
        before = state_of(module), [tensor.clone() for tensor in others[-1].reading.tensors]
        outcomes += [alone(call) for call in others]
        if any(isinstance(outcome, Failure) or not finite(outcome) for outcome in outcomes):
            return outcomes  # says nothing about joining
        if state_of(module) != before[0]:
            self._condemn(first, "it changes what it keeps on itself")
        elif not all(map(torch.equal, others[-1].reading.tensors, before[1])):
            self._condemn(first, "it changes its inputs")
        else:
            self._compare(calls, outcomes, together)
        return outcomes

    def withdraw(self, call: ComponentCall) -> None:
        """Such calls were joined, and their output did not split as it did before."""
        self._condemn(call, "the size of its output depends on more than its inputs' shapes")

    def _compare(
        self, calls: Sequence[ComponentCall], outcomes: Sequence[Any], together: Together
    ) -> None:
        reason = "no batch axis was found"
        for plan in self._candidates(calls):
            try:
                output = together(plan, calls)
                proved = replace(plan, outputs=sizes(outcomes[0], output, len(calls)) or ())
                difference = differing(outcomes, split(proved, output, len(calls)))
            except NotSplit:
                reason = "its output does not split"
            except Exception as error:
                if ran_out(error) and len(calls) > 2:
                    break
                reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            else:
                if difference is None:
                    self._accept(calls, proved)
                    return
                reason = difference
        else:
            self._condemn(calls[0], reason)
            return
        self._compare(calls[:2], outcomes[:2], together)  # two may fit where many do not

    def _candidates(self, calls: Sequence[ComponentCall]) -> Sequence[Plan]:
        """The plan that was proved for other differences, or all that may be."""
        known = self._verdicts.get(calls[0].signature)
        return [known.plan] if known and known.plan else list(plans(calls))

    def _accept(self, calls: Sequence[ComponentCall], plan: Plan) -> None:
        known = self._verdicts.get(calls[0].signature)
        untried = known.untried if known else frozenset(range(len(plan.ways))) - {*plan.shared}
        self._verdicts[calls[0].signature] = Verdict(plan, untried - varying(calls, untried))

    def _condemn(self, call: ComponentCall, reason: str) -> None:
        self._verdicts[call.signature] = Verdict(None)
        log.warning(
            "%s is not batched where it is called as with %s: %s.", call, call.kind.shape, reason
        )


def alike(calls: Sequence[ComponentCall], places: Sequence[int]) -> list[list[ComponentCall]]:
    """Groups of calls whose tensors at these places are equal."""
    groups: list[list[ComponentCall]] = []
    for call in calls:
        for group in groups:
            if all(same(column((group[0], call), place)) for place in places):
                group.append(call)
                break
        else:
            groups.append([call])
    return groups


def varying(calls: Sequence[ComponentCall], places: Iterable[int]) -> frozenset[int]:
    """Those of the places whose tensors are not the same in all calls."""
    return frozenset(place for place in places if not same(column(calls, place)))


def finite(output: Any) -> bool:
    return all(bool(tensor.isfinite().all()) for tensor in Reading(output, output=True).tensors)


def differing(alone: Sequence[Any], parts: Sequence[Any]) -> str | None:
    """Where the joined outputs differ from those alone, as a clause; None where they agree."""
    for mine, part in zip(alone, parts, strict=True):
        one, other = (Reading(output, output=True) for output in (mine, part))
        if one.form != other.form:
            return "its output is of another form"
        if not all(map(close, one.tensors, other.tensors)):
            return "its results differ from those alone"
    return None


def close(alone: Tensor, joined: Tensor) -> bool:
    """Equal within what another order of the same sums may make of it."""
    if not alone.is_floating_point() or alone.numel() == 0:
        return torch.equal(alone, joined)
    wide = torch.promote_types(alone.dtype, torch.float32)
    alone, error = alone.to(wide), (alone.to(wide) - joined.to(wide)).abs()
    allowed = tolerance(joined) * float(alone.square().mean().sqrt())
    return float(error.max()) <= allowed and float(error.mean()) <= MEAN_SHARE * allowed


def tolerance(tensor: Tensor) -> float:
    if tensor.is_cuda and tensor.dtype == torch.float32:
        return TF32_TOLERANCE
    return TOLERANCES.get(tensor.dtype, 2e-1)
