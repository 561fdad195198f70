"""A picture, what is made of it by other models, and workers that are killed meanwhile."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from family_cases import CASES
from family_models import save
from studio_cases import until

from omnifex.cli.app import run
from omnifex.home import open_home
from omnifex.job import Job
from omnifex.studio import Studio
from omnifex.worker.supervisor import Supervisor
from omnifex_jobs import State

FAMILIES = {
    "video": {"model": "svd", **CASES["svd"].request, "steps": 40},
    "mesh": {"model": "relief", **CASES["relief"].request},
}
BUILT_IN = {  # their clips and solids are of words alone
    "image": {"prompt": "a red star", "steps": 8},
    "mesh": {"prompt": "a red cube", "steps": 4},
}


@pytest.fixture
def desk() -> Iterator[Studio]:
    with Studio(workers=0) as studio:
        yield studio


@pytest.fixture
def serving(desk: Studio) -> Iterator[Supervisor]:
    home = open_home()
    supervisor = Supervisor(home, partial(open_home, home.folder), ["cpu:0"], at_once=1)
    supervisor.start()
    yield supervisor
    supervisor.stop()
    home.close()


@pytest.mark.parametrize("asked", [FAMILIES, BUILT_IN], ids=["families", "built-in"])
def test_what_is_made_of_a_picture_outlives_two_killed_workers(
    desk: Studio,
    serving: Supervisor,
    asked: Mapping[str, Mapping[str, Any]],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    for name in [one["model"] for one in asked.values() if "model" in one]:
        desk.models.add(save(name, tmp_path / name), name=name)
    (first, first_asked), (second, second_asked) = asked.items()
    takes = "image" if "model" in second_asked else "after"
    with desk.graph() as graph:
        picture = graph.submit("image", prompt="a large red circle", steps=8)
        moving = graph.submit(first, **first_asked, image=picture)
        solid = graph.submit(second, **second_asked, **{takes: picture})
    assert [moving.status, solid.status] == [State.BLOCKED, State.BLOCKED]
    for victim in (picture, moving):
        kill_what_runs(serving, victim)
    (drawn,), (moved,), _ = (job.result(240) for job in (picture, moving, solid))
    again = desk.submit(first, **first_asked, image=drawn, seed=moving.seed)
    assert again.result(120)[0].sha256 == moved.sha256
    assert run(["jobs", "graph", picture.id]) == 0
    tree = capfd.readouterr().out
    assert all(job.id in tree for job in (picture, moving, solid, again))
    assert tree.count("claimed 2 times") == 2


def kill_what_runs(serving: Supervisor, victim: Job) -> None:
    """Once, while its process has this job."""
    (process,) = serving.processes
    until(lambda: victim.id in [claim.job.id for claim in process.running()])
    assert process.pid
    os.kill(process.pid, signal.SIGKILL)
