"""Workers that are killed in the middle of jobs of other people's pipelines."""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # where the checkpoints are built
from family_models import STAGED, save, save_pipeline

from benchmarks.killing import Reference, finish, kill_workers, settle
from benchmarks.resume import files
from omnifex import Studio
from omnifex.home import open_home

KINDS = (("sdxl-refined", 16), ("kandinsky22", 12), ("flux", 20), ("sd", 20))
EXTRA = {"kandinsky22": {"prior_num_inference_steps": 6}, "flux": {"max_sequence_length": 24}}


def killed(kills: int) -> bool:
    """Whether all jobs ended with the bits of undisturbed ones, whatever was killed meanwhile."""
    with tempfile.TemporaryDirectory() as folder:
        known = references(Path(folder))
        home = open_home(folder)
        jobs, _ = kill_workers(home, known, kills, random.Random(1))
        finish(home, jobs)
        ended = {job: files(home.queue.get(job)) for job in jobs}
        home.close()
    equal = [job for job, made in ended.items() if made == jobs[job].files]
    print(f"{kills} workers killed with SIGKILL: {len(equal)} of {len(jobs)} jobs of equal bits")
    return len(equal) == len(jobs)


def references(folder: Path) -> list[Reference]:
    """Each kind of job once, in peace and alone."""
    settle()
    known = []
    with Studio(folder) as studio:
        for name, steps in KINDS:
            register(studio, name, folder / "checkpoints")
            job = studio.submit(
                "image",
                prompt="a small red cube",
                model=name,
                seed=7,
                steps=steps,
                width=64,
                height=64,
                extra=EXTRA.get(name, {}),
            )
            job.result(timeout=300)
            record = job.record
            known.append(Reference(record, files(record), record.metrics["component_calls"]))
    return known


def register(studio: Studio, name: str, folder: Path) -> None:
    """A tiny model; one of several stages is composed, as a user would compose it."""
    if name not in STAGED:
        studio.models.add(save(name, folder / name), name=name)
        return
    stages = {prefix.rstrip("_") or "base": build for prefix, build in STAGED[name].items()}
    for stage, build in stages.items():
        part = f"{name}-{stage}"
        studio.models.add(save_pipeline(build, folder / part), name=part)
    studio.models.compose(name, **{stage: f"{name}-{stage}" for stage in stages})
