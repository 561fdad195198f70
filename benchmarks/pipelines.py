"""Unmodified diffusers pipelines over the engine: alone and together, and resumed.

    python -m benchmarks.pipelines                       # all 25, a few minutes
    python -m benchmarks.pipelines sd15 flux wan

Each is a tiny random pipeline of real classes. Four jobs, of 6, 6, 8 and 5 steps and seeds of their
own, run one after another and then at once, their calls joined; then one of them is stopped in the
middle and goes on from its journal. A chaotic pipeline amplifies rounding: beside its difference
stands what a change of one millionth in the outputs of its backbone does to it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # where the pipelines are built
from tiny_pipelines import STEPS, TINY, TinyPlugin

from omnifex.engine.context import Listener
from omnifex.engine.durability.recording import JobJournal
from omnifex.engine.engine import Assignment, Engine, Outcome
from omnifex.engine.scheduling.costs import CallKind, CostModel
from omnifex.engine.watching.record import CallRecord
from omnifex.workbench import Workbench
from omnifex_jobs import Progress
from omnifex_jobs.files.journal import Journals
from omnifex_registry import Kind

PERTURBATION = 1e-6
SEED = 100

Numbers = NDArray[np.float32]


class EqualCosts(CostModel):
    """Any number of rows in the same time: whatever can be joined is, on a busy machine too."""

    def seconds(self, kind: CallKind, rows: int) -> float:
        return 0.02


class Stopped(BaseException):
    """Stands for a crash."""


@dataclass(frozen=True)
class Trial:
    """What four jobs of one pipeline showed."""

    name: str
    alone_s: float
    together_s: float
    difference: float
    perturbed: float  # what PERTURBATION does to the first of them
    calls: int  # of the backbone, together
    batch: float  # jobs in such a call, in the mean
    resumed: bool  # to equal bits

    @property
    def agrees(self) -> bool:
        """Within rounding; a chaotic pipeline, as far as rounding carries it."""
        return self.difference <= max(1e-5, 10 * self.perturbed * TINY[self.name].chaotic)


@contextmanager
def workbench(name: str) -> Iterator[Workbench]:
    """The named pipeline as the only model, in an engine that joins all it can."""
    with tempfile.TemporaryDirectory() as folder:
        plugin = TinyPlugin(Path(folder), (name,))
        with Workbench(Path(folder), [plugin], entry_points=False) as bench:
            bench.engine.close()
            bench.engine = Engine(costs=EqualCosts())
            yield bench


def trial(name: str) -> Trial:
    with workbench(name) as bench:
        jobs = [job(bench, name, number, steps) for number, steps in enumerate(STEPS)]
        bench.engine.run(jobs[0])  # loads, and fills tables
        alone, alone_s = timed(lambda: [bench.engine.run(one) for one in jobs])
        at_once(bench.engine, jobs)  # the first calls of each kind prove that they can be joined
        calls = listened(bench.engine)
        together, together_s = timed(lambda: at_once(bench.engine, jobs))
        sizes = [len(call.jobs) for call in calls if is_backbone(bench, call)]
        return Trial(
            name=name,
            alone_s=alone_s,
            together_s=together_s,
            difference=max(map(difference, alone, together)),
            perturbed=difference(alone[0], perturbed(bench, jobs[0])),
            calls=len(sizes),
            batch=sum(sizes) / len(sizes),
            resumed=resumed(bench.engine, jobs[0]) == alone[0].files,
        )


def job(bench: Workbench, name: str, number: int, steps: int) -> Assignment:
    asked = bench.assignment("tensors", name, prompt="given", seed=SEED + number, steps=steps)
    return replace(asked, id=f"{name}-{number}")


def at_once(engine: Engine, jobs: Sequence[Assignment]) -> list[Outcome]:
    running = [engine.start(one) for one in jobs]
    return [one.result(300) for one in running]


def timed(action: Callable[[], list[Outcome]]) -> tuple[list[Outcome], float]:
    began = time.perf_counter()
    return action(), time.perf_counter() - began


def listened(engine: Engine) -> list[CallRecord]:
    """The calls that the engine makes from now on."""
    calls: list[CallRecord] = []
    engine.dispatcher.runner.observers.append(calls.append)
    return calls


def is_backbone(bench: Workbench, call: CallRecord) -> bool:
    parts = bench.model(call.jobs[0].rpartition("-")[0]).components
    return call.how == "ran" and parts[call.role].kind is Kind.BACKBONE


def difference(one: Outcome, other: Outcome) -> float:
    return float(np.abs(numbers(one) - numbers(other)).max())


def numbers(outcome: Outcome) -> Numbers:
    return np.frombuffer(outcome.files[0].data, np.float32)


def perturbed(bench: Workbench, asked: Assignment) -> Outcome:
    """The job again, with a little noise on whatever its backbone answers."""
    generator = torch.Generator().manual_seed(0)

    def shake(tensor: Any) -> Any:
        if not isinstance(tensor, Tensor):
            return tensor
        noise = torch.randn(tensor.shape, generator=generator)
        return tensor + PERTURBATION * tensor.square().mean().sqrt() * noise

    backbones = [part for part in asked.model.components.values() if part.kind is Kind.BACKBONE]
    hooks = [
        bench.engine.residency.bring(part).register_forward_hook(
            lambda _module, _inputs, output: torch.utils._pytree.tree_map(shake, output)
        )
        for part in backbones
    ]
    try:
        return bench.engine.run(asked)
    finally:
        for hook in hooks:
            hook.remove()


class Stopping(Listener):
    """Ends the job's process, as it were, after its third step."""

    def progress(self, progress: Progress) -> None:
        if progress.step == 3:
            raise Stopped


def resumed(engine: Engine, asked: Assignment) -> Any:
    """The files of the job, stopped after three steps and run again with its journal."""
    with tempfile.TemporaryDirectory() as folder:
        for listener in (Stopping(), Listener()):
            owner = {"job": asked.id}
            with closing(Journals(Path(folder)).open(asked.id, owner, lambda: True)) as journal:
                recorded = replace(asked, journal=JobJournal(journal, short_s=0.0))
                try:
                    outcome = engine.run(recorded, listener)
                except Stopped:
                    continue
        return outcome.files


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("names", nargs="*", default=[*TINY], help=", ".join(TINY))
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{'':14s} alone s  together s  difference  by 1e-6  calls × batch  resumed")
    for name in options.names:
        one = trial(name)
        print(
            f"{name:14s} {one.alone_s:7.2f} {one.together_s:11.2f} {one.difference:11.1e} "
            f"{one.perturbed:8.1e} {one.calls:6d} × {one.batch:.1f}"
            f"     {'equal bits' if one.resumed else 'DIFFERS'}"
            f"{'' if one.agrees else '   DISAGREES'}",
            flush=True,
        )


if __name__ == "__main__":
    main()
