"""The kit for plugin authors, tried as an author would."""

from pathlib import Path

import dots_plugin
import pytest
import torch

from omnifex.engine.context import JobContext
from omnifex.toy import ExactBackbone, write_toy_model
from omnifex.workbench import Workbench
from omnifex_jobs import open_database
from omnifex_registry import Registry, allow_library, load_component, migrate

pytest_plugins = ["pytester"]
omnifex_plugin = dots_plugin


def test_the_workbench_makes_files_with_the_modules_own_plugin(
    omnifex_workbench: Workbench,
) -> None:
    first, again, other = (
        omnifex_workbench.make("dots", prompt="dots", seed=seed).files for seed in (1, 1, 2)
    )
    assert first == again != other


def test_a_job_stands_ready_for_a_familys_parts(omnifex_job: JobContext) -> None:
    expected = torch.randn(2, generator=torch.Generator().manual_seed(0))
    assert torch.equal(omnifex_job.randn((2,)), expected)


def test_the_toy_backbone_is_the_slope_to_its_point(omnifex_toy: ExactBackbone) -> None:
    x, c = torch.tensor([[3.0, 5.0]]), torch.tensor([[1.0, 1.0]])
    assert omnifex_toy(x, torch.tensor([0.5]), c).tolist() == [[4.0, 8.0]]


def test_the_toy_is_a_model_that_a_registry_takes(tmp_path: Path) -> None:
    allow_library("omnifex.toy")
    database = open_database(f"sqlite:///{tmp_path / 'home.sqlite'}")
    migrate(database)
    model = Registry(database, tmp_path).add(write_toy_model(tmp_path / "toy"))
    assert isinstance(load_component(model.components["backbone"]), ExactBackbone)
    database.dispose()


def test_a_good_plugin_passes_the_conformance_checks(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_inprocess("--omnifex-plugin", "dots_plugin")
    result.assert_outcomes(passed=8)


def test_the_checks_join_the_tests_that_are_named(pytester: pytest.Pytester) -> None:
    path = pytester.makepyfile("def test_mine(): assert 1 + 1 == 2")
    result = pytester.runpytest_inprocess(str(path), "--omnifex-plugin", "dots_plugin")
    result.assert_outcomes(passed=9)


def test_a_plugin_that_forgets_its_seed_fails_one_check(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forgetful(self: object, *args: object) -> object:
        return torch.randn(4, generator=torch.Generator().manual_seed(torch.seed() % 2**32))

    monkeypatch.setattr(dots_plugin.DotsFamily, "decode", forgetful)
    result = pytester.runpytest_inprocess("--omnifex-plugin", "dots_plugin")
    result.assert_outcomes(passed=6, failed=2)


def test_a_plugin_that_is_not_there_is_said_to_be_missing(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_inprocess("--omnifex-plugin", "absent_plugin")
    result.stdout.fnmatch_lines(["*no plugin and no module 'absent_plugin' is installed*"])
    assert result.parseoutcomes().get("passed", 0) == 0
