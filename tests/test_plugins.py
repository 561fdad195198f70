import inspect
import re
from collections.abc import Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any

import dots_plugin
import pytest

import omnifex
from omnifex import hookspecs, plugins
from omnifex.errors import PluginError, UnknownModality, UnsuitableModel
from omnifex.plugins import PluginHost
from omnifex_jobs import Event
from omnifex_registry import Model

EVENT = Event(seq=1, job_id="01J", kind="queued", payload={}, created_at=0)
DOCS = Path(__file__).parents[1] / "docs" / "plugins.md"


def host(*plugins: object) -> PluginHost:
    return PluginHost(plugins, entry_points=False)


def plugin(name: str, **hooks: Any) -> ModuleType:
    """A module with the given hooks."""
    module = ModuleType(name)
    for hook, body in hooks.items():
        setattr(module, hook, omnifex.hookimpl(body))
    return module


def model(class_name: str = "DotsPipeline") -> Model:
    return Model("tiny", None, class_name, Path(), {}, {}, 0)


def installed_as(monkeypatch: pytest.MonkeyPatch, **targets: str) -> None:
    entries = [EntryPoint(name, target, plugins.GROUP) for name, target in targets.items()]
    monkeypatch.setattr(plugins, "entry_points", lambda group: entries)


def test_a_plugin_adds_its_modality_family_and_models() -> None:
    (found,) = host(dots_plugin).plugins
    assert found.name == "dots_plugin"
    assert [m.name for m in found.modalities] == ["dots"]
    assert [m.name for m in found.models] == ["dots-1", "dots-2"]


def test_the_installed_plugins_come_in_by_their_entry_points() -> None:
    found = PluginHost()
    assert found.problems == []
    assert {"image", "video", "audio", "mesh"} <= {plugin.name for plugin in found.plugins}
    assert {plugin.version for plugin in found.plugins} == {omnifex.__version__}


@pytest.mark.parametrize(
    ("listed", "admitted"), [("", []), ("a", ["a"]), ("b, a", ["a", "b"]), (None, ["a", "b", "c"])]
)
def test_the_environment_chooses_the_installed_plugins(
    listed: str | None, admitted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    installed_as(monkeypatch, c="json", b="math", a="re")
    if listed is not None:
        monkeypatch.setenv("OMNIFEX_PLUGINS", listed)
    assert [plugin.name for plugin in PluginHost().plugins] == admitted


def test_a_plugin_that_fails_to_import_is_named_and_set_aside(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    installed_as(monkeypatch, broken="no_such_package", dots="dots_plugin")
    found = PluginHost()
    assert [plugin.name for plugin in found.plugins] == ["dots"]
    (problem,) = found.problems
    assert problem.plugin == "broken"
    assert "ModuleNotFoundError: No module named 'no_such_package'" in problem.message


def test_a_plugin_that_raises_is_named_and_set_aside() -> None:
    found = host(plugin("rash", register_families=lambda: 1 / 0), dots_plugin)
    assert list(found.modalities) == ["dots"]
    assert str(found.problems) == (
        "[Problem(plugin='rash', message='ZeroDivisionError: division by zero')]"
    )


def test_a_misspelt_hook_is_a_problem_not_a_silence() -> None:
    (problem,) = host(plugin("typo", register_modalites=keen([]))).problems
    assert "register_modalites" in problem.message


def test_a_hook_with_unknown_arguments_is_a_problem() -> None:
    (problem,) = host(plugin("greedy", job_event=lambda event, job: None)).problems
    assert "job" in problem.message


class Shapeless(dots_plugin.DotsModality):
    default_format = "png"


class Untyped(dots_plugin.DotsModality):
    Request = dict  # type: ignore[assignment]


class Nameless(omnifex.Modality[Any]):
    title = "?"

    def encode(self, media: Any, request: Any, provenance: Mapping[str, Any]) -> list[omnifex.File]:
        return []


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([Shapeless()], "default_format 'png' is not one of its formats (dots)"),
        ([Untyped()], "modality 'dots': Request is no subclass of omnifex.Request"),
        ([Nameless()], "Nameless lacks name, Request, formats, default_format, default_model"),
        (["dots"], "register_modalities returned 'dots', which is no Modality"),
    ],
)
def test_a_modality_that_breaks_the_contract_is_told_how(items: list[Any], message: str) -> None:
    found = host(plugin("sloppy", register_modalities=lambda: items))
    assert found.plugins == []
    assert message in found.problems[0].message


def test_a_modality_of_two_plugins_is_refused_loudly() -> None:
    rival = plugin("rival", register_modalities=lambda: [dots_plugin.DotsModality()])
    with pytest.raises(PluginError, match="'dots_plugin' and 'rival' both add the modality 'dots'"):
        host(dots_plugin, rival)


def test_an_unknown_modality_tells_of_plugins_set_aside() -> None:
    with pytest.raises(UnknownModality, match=r"installed: dots.*plugin 'rash' was set aside"):
        host(dots_plugin, plugin("rash", register_models=lambda: 1 / 0)).modality("image")


def test_the_family_is_found_by_the_model() -> None:
    assert host(dots_plugin).family("dots", model()).name == "dots"


def test_a_model_that_nobody_knows_is_unsuitable() -> None:
    with pytest.raises(UnsuitableModel) as caught:
        host(dots_plugin).family("dots", model("LinesPipeline"))
    assert str(caught.value) == (
        "model 'tiny' cannot make dots: no plugin knows a LinesPipeline; "
        "leave the model out to use 'dots-1'."
    )


class LinesFamily(dots_plugin.DotsFamily):
    modality = "lines"


class Confused(dots_plugin.DotsFamily):
    name = "confused"

    def recognises(self, model: Model) -> bool:
        raise KeyError(model.name)


def test_a_model_for_another_modality_is_unsuitable() -> None:
    lines = plugin("lines", register_families=lambda: [LinesFamily()])
    modality = plugin("dots", register_modalities=lambda: [dots_plugin.DotsModality()])
    with pytest.raises(UnsuitableModel, match="cannot make dots: it makes lines"):
        host(lines, modality).family("dots", model())


def test_a_family_that_raises_is_passed_over_and_noted() -> None:
    found = host(plugin("odd", register_families=lambda: [Confused()]), dots_plugin)
    assert found.family("dots", model()).name == "dots"
    assert "recognises('tiny') raised KeyError" in found.problems[0].message


def test_every_plugin_hears_of_events_though_one_raises() -> None:
    heard: list[Event] = []
    rash = plugin("rash", job_event=lambda event: 1 / 0)
    found = host(rash, plugin("keen", job_event=keen(heard)))
    found.emit(EVENT)
    found.emit(EVENT)
    assert heard == [EVENT, EVENT]
    assert [problem.plugin for problem in found.problems] == ["rash"]


def keen(heard: list[Event]) -> Any:
    def job_event(event: Event) -> None:
        heard.append(event)

    return job_event


def test_the_docs_describe_every_hook_with_its_arguments() -> None:
    specs = {
        name: f"({', '.join(inspect.signature(spec).parameters)})"
        for name, spec in vars(hookspecs).items()
        if hasattr(spec, "omnifex_spec")
    }
    headings = dict(re.findall(r"^### `(\w+)(\(.*?\))", DOCS.read_text(), flags=re.M))
    assert specs == headings
    assert specs


def test_the_docs_name_every_part_of_the_contract() -> None:
    text = DOCS.read_text()
    parts = [*public(omnifex.Modality), *public(omnifex.Family), *public(omnifex.LatentFamily)]
    parts += public(omnifex.Scorer)
    assert [part for part in parts if f"`{part}" not in text] == []


def public(contract: type[Any]) -> list[str]:
    names = {**contract.__annotations__, **vars(contract)}
    return [name for name in names if not name.startswith("_")]
