"""What every plugin keeps, as tests: run by `pytest --omnifex-plugin NAME`."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import pytest

from omnifex.engine.context import Listener
from omnifex.engine.engine import Outcome
from omnifex.modality import Modality
from omnifex.plugins import Plugin, PluginHost
from omnifex.workbench import Workbench
from omnifex_jobs import Progress

STEPS = 2  # enough to pass every part once


class Recorder(Listener):
    """Keeps the progress of a job, and what it was told."""

    def __init__(self) -> None:
        self.values: list[float] = []
        self.notes: list[str] = []

    def progress(self, progress: Progress) -> None:
        self.values.append(progress.value)

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture(scope="session")
def workbench(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Workbench]:
    name = request.config.getoption("--omnifex-plugin")
    uninstalled = [] if name in {p.name for p in PluginHost().plugins} else [load(name)]
    with Workbench(tmp_path_factory.mktemp("conformance"), uninstalled) as bench:
        yield bench


@pytest.fixture(scope="session")
def plugin(request: pytest.FixtureRequest, workbench: Workbench) -> Plugin:
    name = request.config.getoption("--omnifex-plugin")
    found = [plugin for plugin in workbench.host.plugins if plugin.name == name]
    said = "; ".join(f"{problem.plugin}: {problem.message}" for problem in workbench.host.problems)
    assert found, f"plugin {name!r} was set aside ({said})"
    return found[0]


@pytest.fixture(scope="session")
def modalities(plugin: Plugin, workbench: Workbench) -> list[Modality[Any]]:
    """The modalities to try: the plugin's own, and those that its families generate."""
    names = [*(m.name for m in plugin.modalities), *(f.modality for f in plugin.families)]
    return [workbench.host.modality(name) for name in dict.fromkeys(names)]


def test_the_plugin_adds_something(plugin: Plugin) -> None:
    assert plugin.modalities or plugin.families or plugin.models


def test_a_prompt_is_request_enough(modalities: list[Modality[Any]]) -> None:
    for modality in modalities:
        assert modality.Request(prompt=modality.example_prompt).prompt == modality.example_prompt


def test_every_field_is_described(modalities: list[Modality[Any]]) -> None:
    for modality in modalities:
        fields = modality.Request.model_fields
        assert [name for name, field in fields.items() if not field.description] == []


def test_the_same_seed_gives_the_same_bytes(
    modalities: list[Modality[Any]], workbench: Workbench
) -> None:
    for modality in modalities:
        assert contents(make(workbench, modality, 1)) == contents(make(workbench, modality, 1))


def test_another_seed_gives_other_bytes(
    modalities: list[Modality[Any]], workbench: Workbench
) -> None:
    for modality in modalities:
        assert contents(make(workbench, modality, 1)) != contents(make(workbench, modality, 2))


def test_files_are_of_a_declared_format(
    modalities: list[Modality[Any]], workbench: Workbench
) -> None:
    for modality in modalities:
        outputs = [file for file in make(workbench, modality, 1).files if file.role == "output"]
        assert outputs, f"{modality.name} made no file in the role 'output'"
        assert {file.media_type for file in outputs} <= set(modality.formats.values())
        assert {file.suffix.lstrip(".") for file in outputs} <= set(modality.formats)


def test_progress_grows_and_stays_below_the_end(
    modalities: list[Modality[Any]], workbench: Workbench
) -> None:
    for modality in modalities:
        recorder = Recorder()
        make(workbench, modality, 1, recorder)
        assert recorder.values == sorted(recorder.values)
        assert all(0 <= value <= 1 for value in recorder.values)


def test_the_global_random_state_is_left_alone(
    modalities: list[Modality[Any]], workbench: Workbench
) -> None:
    import torch

    for modality in modalities:
        before, recorder = torch.get_rng_state(), Recorder()
        make(workbench, modality, 1, recorder)
        assert torch.equal(before, torch.get_rng_state())
        seeded = [note for note in recorder.notes if "global random state" in note]
        assert not seeded  # the engine puts it back, and says so


def make(
    workbench: Workbench, modality: Modality[Any], seed: int, listener: Listener | None = None
) -> Outcome:
    fields = {"prompt": modality.example_prompt, "seed": seed, "steps": STEPS}
    return workbench.make(modality.name, listener, **fields)


def contents(outcome: Outcome) -> list[bytes]:
    return [file.data for file in outcome.files]


def load(name: str) -> object:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        pytest.fail(f"no plugin and no module {name!r} is installed ({error})")
