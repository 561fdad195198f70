"""One case of a family beside the plain pipeline of diffusers: alone, in company, and resumed."""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # where the checkpoints are built
from family_cases import CASES, Case, assignment, by_diffusers, numbers
from family_models import Checkpoints

from benchmarks.pipelines import EqualCosts, Numbers, Stopped, at_once, listened, perturbed
from omnifex.engine.context import Listener
from omnifex.engine.durability.recording import JobJournal
from omnifex.engine.engine import Assignment, Engine
from omnifex.engine.watching.record import CallRecord
from omnifex.workbench import Workbench
from omnifex_jobs.files.journal import Journals
from omnifex_registry import Kind

SEED = 100
TOLERANCE = 1e-5
PROMPTS = ("a small red cube", "two blue spheres on sand", "a tree", "the sea at night, in oils")
LARGER = (1.0, 1.25, 0.9, 1.5)  # the guidance of the four jobs
NAMES: Mapping[str, tuple[str, ...]] = {
    "prompt": ("prompt",),
    "steps": ("num_inference_steps", "decoder_num_inference_steps"),
    "guidance": (
        "guidance_scale",
        "true_cfg_scale",
        "decoder_guidance_scale",
        "max_guidance_scale",
    ),
}


@dataclass(frozen=True)
class Row:
    """What one case showed."""

    name: str
    alone: float  # how far from the plain pipeline, at most
    together: float  # the same of four jobs at once
    perturbed: float  # what a millionth in the backbone's outputs does, where that is asked for
    jobs_a_call: float  # of the backbones, in the mean
    resumed: bool  # to equal bits
    calls: int  # of one job, of which any may be the last before the crash

    @property
    def green(self) -> bool:
        """Equal alone and resumed; together within rounding, as far as rounding carries."""
        far = max(TOLERANCE, 10 * self.perturbed)
        return self.alone == 0 and self.resumed and self.together <= far


@contextmanager
def checkpoints() -> Iterator[Checkpoints]:
    """A workbench whose engine joins all that it can."""
    with tempfile.TemporaryDirectory() as folder, Workbench(Path(folder)) as bench:
        bench.engine.close()
        bench.engine = Engine(costs=EqualCosts())
        yield Checkpoints(bench, Path(folder))


def trial(models: Checkpoints, name: str) -> Row:
    case, engine = CASES[name], models.bench.engine
    changes = [varied(case, number) for number in range(len(PROMPTS))]
    jobs = [
        replace(assignment(models, case, seed=SEED + number, **asked), id=f"{name}-{number}")
        for number, (asked, _) in enumerate(changes)
    ]
    heard = Heard()
    alone = [numbers(engine.run(jobs[0], heard)), *(numbers(engine.run(job)) for job in jobs[1:])]
    plain = [
        by_diffusers(models, case, seed=SEED + number, **told)
        for number, (_, told) in enumerate(changes)
    ]
    at_once(engine, jobs)  # the first calls of each kind prove that they can be joined
    calls = listened(engine)
    together = [numbers(outcome) for outcome in at_once(engine, jobs)]
    engine.dispatcher.runner.observers.remove(calls.append)
    sizes = [len(call.jobs) for call in calls if is_backbone(models, case, call)]
    return Row(
        name,
        alone=max(map(distance, alone, plain)),
        together=max(map(distance, together, plain)),
        perturbed=shaken(models, jobs, alone) if case.chaotic else 0.0,
        jobs_a_call=sum(sizes) / max(len(sizes), 1),
        resumed=resumes(engine, jobs[0], alone[0], heard.calls, random.Random(name)),
        calls=heard.calls,
    )


def varied(case: Case, number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Another prompt, number of steps and guidance, in the words of a request and of the call."""
    values = {
        "prompt": PROMPTS[number],
        "steps": case.request.get("steps", 0) + number,
        "guidance": case.request.get("guidance", 0) * LARGER[number],
    }
    asked, told = {}, {}
    for field, names in NAMES.items():
        name = next((name for name in names if name in case.call), None)
        if field in case.request and name:
            asked[field] = told[name] = values[field]
    return asked, told


def distance(one: Numbers, other: Numbers) -> float:
    return float(np.abs(one - other).max()) if one.shape == other.shape else np.inf


def is_backbone(models: Checkpoints, case: Case, call: CallRecord) -> bool:
    part = models[case.model].components.get(call.role)  # a network beside it has another role
    return call.how == "ran" and part is not None and part.kind is Kind.BACKBONE


def shaken(models: Checkpoints, jobs: Sequence[Assignment], alone: Sequence[Numbers]) -> float:
    """How far a millionth of noise in the outputs of its backbones moves a job, at most."""
    moved = [numbers(perturbed(models.bench, job)) for job in jobs]
    return max(map(distance, alone, moved))


class Heard(Listener):
    """Counts the calls of a job, and ends its process, as it were, after so many."""

    def __init__(self, until: int = 0) -> None:
        self.calls, self.until = 0, until

    def called(self, record: CallRecord) -> None:
        self.calls += 1
        if self.calls == self.until:
            raise Stopped


def resumes(
    engine: Engine, job: Assignment, expected: Numbers, calls: int, chance: random.Random
) -> bool:
    """Whether the job, cut off after some call and run again with its journal, ends the same."""
    with tempfile.TemporaryDirectory() as folder:
        for listener in (Heard(until=chance.randint(1, max(calls - 1, 1))), Heard()):
            owner = {"job": job.id}
            with closing(Journals(Path(folder)).open("job", owner, lambda: True)) as journal:
                recorded = replace(job, journal=JobJournal(journal, short_s=0.0))
                try:
                    outcome = engine.run(recorded, listener)
                except Stopped:
                    continue
                return listener.until == 0 and distance(numbers(outcome), expected) == 0
    return False
