"""The models of a home: the users' own, and those that come with plugins."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from studio_cases import copy_model, open_tiles
from tiles_plugin import MODEL

import omnifex
from omnifex.models import BuiltinStays
from omnifex.plugins import PluginHost
from omnifex.studio import Studio
from omnifex_registry import BadModelFolder, NameTaken, UnknownModel


@pytest.fixture
def studio() -> Iterator[Studio]:
    with open_tiles() as studio:
        yield studio


@pytest.fixture
def desk() -> Iterator[Studio]:
    """A studio that only submits and watches."""
    with open_tiles(workers=0) as studio:
        yield studio


def test_models_are_added_shown_used_and_forgotten(studio: Studio, tmp_path: Path) -> None:
    studio.models.add(copy_model(tmp_path / "files"), name="mine")
    assert [model.name for model in studio.models.list()] == ["mine", "tiles"]
    assert studio.models.show("mine").components["backbone"].class_name == "ExactBackbone"
    assert studio.submit("tile", prompt="red", model="mine").result(120)
    backbone = studio.models.show("mine").components["backbone"]
    assert studio.models.remove("mine") == [backbone.id]
    with pytest.raises(UnknownModel, match="registered: tiles"):
        studio.models.show("mine")
    assert (tmp_path / "files" / "model_index.json").exists()


def test_a_plugins_model_stays_and_keeps_its_name(desk: Studio, tmp_path: Path) -> None:
    with pytest.raises(BuiltinStays, match="OMNIFEX_PLUGINS"):
        desk.models.remove("tiles")
    other = copy_model(tmp_path / "files", another=True)
    with pytest.raises(NameTaken):
        desk.models.add(other, name="tiles")
    assert desk.models.show("tiles").path == MODEL


def test_a_plugins_model_follows_an_installation_that_moved(
    tmp_path: Path, omnifex_home: Path
) -> None:
    old = copy_model(tmp_path / "old", version=1)
    with Studio(workers=0, plugins=PluginHost(entry_points=False)) as studio:
        studio.models.add(old, name="tiles")
    shutil.rmtree(old)
    with open_tiles(workers=0) as studio:
        assert studio.models.show("tiles").path == MODEL


def test_a_plugins_model_takes_over_from_another_installation_of_it(
    tmp_path: Path, omnifex_home: Path
) -> None:
    there = copy_model(tmp_path.joinpath(*MODEL.parts[-3:]), another=True)
    with Studio(workers=0, plugins=PluginHost(entry_points=False)) as studio:
        theirs = studio.models.add(there, name="tiles")
    with open_tiles(workers=0) as studio:
        ours = studio.models.show("tiles")
        assert ours.path == MODEL
        assert ours.components["backbone"].id != theirs.components["backbone"].id
        assert studio.models.show(f"tiles@{theirs.version}").path == there


def test_a_plugin_whose_model_is_missing_spoils_nothing_else(tmp_path: Path) -> None:
    class Hollow:
        @omnifex.hookimpl
        def register_models(self) -> list[omnifex.BuiltinModel]:
            return [omnifex.BuiltinModel("hollow", tmp_path / "nowhere")]

    with Studio(workers=0, plugins=PluginHost([Hollow()], entry_points=False)) as studio:
        assert studio.models.list() == []
        with pytest.raises(BadModelFolder):
            studio.models.show("hollow")


def test_the_plugins_are_listed(desk: Studio) -> None:
    (plugin,) = desk.plugins()
    assert [modality.name for modality in plugin.modalities] == ["tile"]
    assert desk.problems() == []
