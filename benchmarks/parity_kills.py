"""Workers that are killed in the middle of jobs of other people's pipelines, some with adapters."""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # where the checkpoints are built
from adapter_models import ADAPTERS
from family_models import STAGED, drawn, save, save_pipeline

from benchmarks.killing import Reference, finish, kill_workers, settle
from benchmarks.resume import files
from omnifex import Studio
from omnifex.home import open_home

MOST_CALLS = 60  # of a worker: some end jobs, some are killed in their middle
CUBE = {"prompt": "a small red cube", "seed": 7, "width": 64, "height": 64}
ADAPTED = {
    "prompt": "a <cat>, red",
    "lora": "pixel:0.8",
    "embedding": "cat",
    "image_prompt": {"model": "ip", "image": drawn("image"), "scale": 0.6},
}
KINDS: Sequence[tuple[str, Mapping[str, Any]]] = (
    ("sdxl-refined", {"steps": 16}),
    ("kandinsky22", {"steps": 12, "extra": {"prior_num_inference_steps": 6}}),
    ("flux", {"steps": 20, "extra": {"max_sequence_length": 24}}),
    ("sd", {"steps": 20}),
    ("sd", {"steps": 20, **ADAPTED}),
)


def killed(kills: int) -> bool:
    """Whether all jobs ended with the bits of undisturbed ones, whatever was killed meanwhile."""
    with tempfile.TemporaryDirectory() as folder:
        known = references(Path(folder))
        home = open_home(folder)
        jobs, _ = kill_workers(home, known, kills, random.Random(1), MOST_CALLS, len(KINDS))
        finish(home, jobs)
        ended = {job: files(home.queue.get(job)) for job in jobs}
        told = [home.queue.get(job).metrics.get("calls_replayed", 0) for job in jobs]
        home.close()
    equal = [job for job, made in ended.items() if made == jobs[job].files]
    print(f"{kills} workers killed with SIGKILL: {len(equal)} of {len(jobs)} jobs of equal bits")
    print(f"{sum(told)} calls were not made again, but read from journals")
    return len(equal) == len(jobs)


def references(folder: Path) -> list[Reference]:
    """Each kind of job once, in peace and alone."""
    settle()
    known = []
    with Studio(folder) as studio:
        for name in dict.fromkeys(name for name, _ in KINDS):
            register(studio, name, folder / "checkpoints")
        for name in ("pixel", "cat", "ip"):
            base = {"sd": studio.models.show("sd")}
            studio.models.add(ADAPTERS[name](base, folder / "adapters" / name), name=name)
        for name, asked in KINDS:
            job = studio.submit("image", model=name, **{**CUBE, **asked})
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
