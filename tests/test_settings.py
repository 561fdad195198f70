"""Settings from the moment they are set to the jobs that run by them."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_cases import Heard
from studio_cases import copy_model, open_tiles
from tiny_pipelines import TinyPlugin

from omnifex.engine.engine import Assignment, Outcome
from omnifex.settings import InvalidSettings
from omnifex.studio import Studio
from omnifex.workbench import Workbench
from omnifex.worker.preparation import prepare


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    folder = tmp_path_factory.mktemp("settings")
    with Workbench(folder, [TinyPlugin(folder, ("flux",))], entry_points=False) as workbench:
        yield workbench


@pytest.fixture
def desk() -> Iterator[Studio]:
    """A studio that only submits and watches."""
    with open_tiles(workers=0) as studio:
        yield studio


def asked(bench: Workbench, seed: int = 1, steps: int = 8, **settings: Any) -> Assignment:
    plain = bench.assignment("tensors", "flux", prompt="a cube", seed=seed, steps=steps)
    return replace(plain, id=f"{seed}", model=replace(plain.model, settings=settings))


def numbers(outcome: Outcome) -> np.ndarray:
    return np.frombuffer(outcome.files[0].data, np.float32)


def test_a_cache_skips_for_each_job_what_it_would_skip_alone(bench: Workbench) -> None:
    cached = [asked(bench, seed, cache="first-block", threshold=0.5) for seed in (1, 2, 3)]
    alone = [numbers(bench.engine.run(one)) for one in cached]
    together = [bench.engine.start(one) for one in cached]
    assert all(map(np.array_equal, [numbers(run.result(60)) for run in together], alone))
    plain = [numbers(bench.engine.run(asked(bench, seed))) for seed in (1, 2, 3)]
    assert not any(map(np.array_equal, alone, plain))
    assert np.abs(np.subtract(alone, plain)).max() < 0.5


def test_jobs_of_one_model_with_other_settings_run_side_by_side(bench: Workbench) -> None:
    runs = [asked(bench), asked(bench, attention="_native_math"), asked(bench)]
    plain, other, again = (run.result(60) for run in [*map(bench.engine.start, runs)])
    assert np.abs(numbers(plain) - numbers(other)).max() < 1e-4
    assert np.abs(numbers(plain) - numbers(again)).max() < 1e-4
    ids = {part.component.id for part in bench.engine.residents()}
    assert f"{runs[0].model.components['transformer'].id}+attention=_native_math" in ids


def test_a_job_is_told_what_its_device_cannot_do_and_goes_on(bench: Workbench) -> None:
    heard = Heard()
    assert bench.engine.run(asked(bench, steps=1, graphs=True), heard).files
    (note,) = heard.notes
    assert note.startswith("graphs=True is left out on cpu, where it fails: only CUDA devices")


def test_settings_stay_with_a_model_until_they_are_unset(desk: Studio, tmp_path: Path) -> None:
    folder = copy_model(tmp_path / "files")
    desk.models.add(folder, name="mine")
    assert desk.models.set("mine", compile="whole", autotune=True).settings == {
        "compile": "whole",
        "autotune": True,
    }
    assert desk.models.set("mine", autotune=None).settings == {"compile": "whole"}
    assert desk.models.add(folder, name="mine").settings == {"compile": "whole"}
    with pytest.raises(InvalidSettings, match="attention=flex does not suit model 'mine'"):
        desk.models.set("mine", attention="flex")
    with pytest.raises(InvalidSettings, match="compile must be set with it"):
        desk.models.set("mine", compile=None, autotune=True)
    assert desk.models.set("mine", compile=None).settings == {}


def test_a_job_keeps_the_settings_of_the_time_when_it_was_submitted(desk: Studio) -> None:
    before = desk.submit("tile", prompt="red")
    desk.models.set("tiles", compile="whole")
    after = desk.submit("tile", prompt="red")
    desk.models.set("tiles", compile=None)
    prepared = [prepare(before.home, job.record) for job in (before, after)]
    assert [one.model.settings for one in prepared] == [{}, {"compile": "whole"}]
    assert "settings" not in before.record.recipe
    assert "settings" not in prepared[0].provenance
    assert prepared[1].provenance["settings"] == {"compile": "whole"}
    assert before.record.recipe_hash != after.record.recipe_hash
