import json
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, event, select
from tiny_models import save_stable_diffusion, write_json, write_model

import omnifex_jobs
from omnifex_registry import (
    BadModelFolder,
    Component,
    CorruptWeights,
    Kind,
    NameTaken,
    Registry,
    RegistryError,
    UnknownModel,
    UnsafeWeights,
    allow_library,
    migrate,
    read_header,
)
from omnifex_registry.errors import BadName, LibraryRefused
from omnifex_registry.kinds import kind_of
from omnifex_registry.schema import metadata

WEIGHTS = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """The database that jobs and models share."""
    engine = omnifex_jobs.open_database(f"sqlite:///{tmp_path / 'home.db'}")
    omnifex_jobs.migrate(engine)
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def registry(engine: Engine, tmp_path: Path) -> Registry:
    return Registry(engine, tmp_path / "home")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "tiny")


def rows(engine: Engine) -> dict[str, int]:
    with engine.connect() as db:
        return {
            table.name: len(db.execute(select(table)).all())
            for table in metadata.sorted_tables
            if table.name != "model_alias"
        }


def edit_index(folder: Path, **entries: Any) -> None:
    path = folder / "model_index.json"
    write_json(path, json.loads(path.read_text()) | entries)


def test_a_stable_diffusion_is_identified_without_loading_it(
    registry: Registry, tmp_path: Path
) -> None:
    folder = save_stable_diffusion(tmp_path / "sd")
    sharded = save_stable_diffusion(tmp_path / "sharded", max_shard_size="40KB")
    model = registry.add(folder, family="sd")
    again = registry.add(sharded)
    assert (model.name, model.family, model.class_name) == ("sd", "sd", "StableDiffusionPipeline")
    parts = model.components
    assert sorted(parts) == ["scheduler", "text_encoder", "tokenizer", "unet", "vae"]
    assert [role for role, part in parts.items() if part.weightless] == ["scheduler", "tokenizer"]
    files = [parts[role].path.glob("*.safetensors") for role in ("unet", "vae", "text_encoder")]
    headers = [read_header(path) for paths in files for path in paths]
    assert model.bytes == sum(info.bytes for header in headers for info in header.values())
    assert parts["unet"].dtypes == {"F32": parts["unet"].bytes // 4}
    assert len(list(again.components["unet"].path.glob("*.safetensors"))) > 1
    assert {role: part.id for role, part in again.components.items()} == {
        role: part.id for role, part in parts.items()
    }


def test_a_model_is_shown_as_it_was_added(registry: Registry, model: Path) -> None:
    added = registry.add(model, name="sd", family="sd15")
    assert registry.show("sd") == added
    assert registry.list() == [added]
    assert added.components["vae"].path == model / "vae"
    assert added.components["vae"].kind is Kind.AUTOENCODER
    assert added.config["requires_safety_checker"] is False
    assert abs(added.added_at - time.time() * 1000) < 60_000


def test_the_name_defaults_to_the_folders(registry: Registry, tmp_path: Path) -> None:
    assert registry.add(write_model(tmp_path / "My model (v2)")).name == "My-model-v2"


def test_adding_again_changes_nothing(registry: Registry, engine: Engine, model: Path) -> None:
    first = registry.add(model, family="sd")
    before = rows(engine)
    assert registry.add(model) == first
    assert registry.add(model, family="sd") == first
    assert registry.add(str(model) + "/.", family="sd") == first
    assert rows(engine) == before


def test_the_same_vae_in_two_models_is_one_component(
    registry: Registry, engine: Engine, tmp_path: Path
) -> None:
    one = registry.add(write_model(tmp_path / "one"))
    two = registry.add(write_model(tmp_path / "two", scale=2))
    assert one.components["vae"].id == two.components["vae"].id
    assert one.components["unet"].id != two.components["unet"].id
    assert rows(engine) == {"model": 2, "component": 4, "model_component": 6}


def test_equal_weights_of_another_class_or_config_are_another_component(
    registry: Registry, tmp_path: Path
) -> None:
    model = registry.add(write_model(tmp_path / "one"))
    assert model.components["unet"].id != model.components["vae"].id  # same tensors and config
    other = write_model(tmp_path / "two")
    write_json(other / "vae/config.json", {"channels": 5})
    assert registry.add(other).components["vae"].id != model.components["vae"].id


def test_removing_returns_only_the_orphaned_components(
    registry: Registry, engine: Engine, tmp_path: Path
) -> None:
    one = registry.add(write_model(tmp_path / "one"))
    two = registry.add(write_model(tmp_path / "two", scale=2))
    assert registry.remove("one") == [one.components["unet"].id]
    assert registry.remove("two") == sorted(part.id for part in two.components.values())
    assert rows(engine) == {"model": 0, "component": 0, "model_component": 0}
    assert (tmp_path / "one" / WEIGHTS).exists()


def test_a_component_in_two_roles_counts_once(registry: Registry, model: Path) -> None:
    shutil.copytree(model / "vae", model / "vae_2")
    edit_index(model, vae_2=["diffusers", "AutoencoderKL"])
    added = registry.add(model)
    assert added.components["vae"].id == added.components["vae_2"].id
    assert added.bytes == added.components["vae"].bytes + added.components["unet"].bytes


@pytest.mark.parametrize("action", ["show", "remove"])
def test_an_unknown_model_is_named_with_the_registered_ones(
    registry: Registry, model: Path, action: str
) -> None:
    with pytest.raises(UnknownModel, match="no model 'sdx'; none is registered"):
        getattr(registry, action)("sdx")
    registry.add(model)
    with pytest.raises(UnknownModel, match="no model 'sdx'; registered: tiny"):
        getattr(registry, action)("sdx")


def test_a_name_of_another_model_is_refused_unless_replaced(
    registry: Registry, model: Path, tmp_path: Path
) -> None:
    first = registry.add(model)
    other = write_model(tmp_path / "other", scale=3)
    with pytest.raises(NameTaken, match=f"'tiny' belongs to another model, in {model}"):
        registry.add(other, name="tiny")
    assert registry.list() == [first]
    assert registry.add(other, name="tiny", replace=True).path == other
    assert [known.path for known in registry.list()] == [other]


def test_a_model_that_moved_or_changed_is_brought_up_to_date(
    registry: Registry, engine: Engine, model: Path, tmp_path: Path
) -> None:
    first = registry.add(model, family="sd")
    model.rename(tmp_path / "moved")
    moved = registry.add(tmp_path / "moved", name="tiny")
    assert (moved.path, moved.family, moved.added_at) == (
        tmp_path / "moved",
        "sd",
        first.added_at,
    )
    write_model(tmp_path / "moved", scale=5)
    changed = registry.add(tmp_path / "moved", name="tiny")
    assert changed.components["unet"].id != first.components["unet"].id
    assert rows(engine)["component"] == 3


def test_a_home_can_be_moved_with_the_models_in_it(engine: Engine, tmp_path: Path) -> None:
    write_model(tmp_path / "home/models/tiny")
    Registry(engine, tmp_path / "home").add(tmp_path / "home/models/tiny")
    (tmp_path / "home").rename(tmp_path / "house")
    (model,) = Registry(engine, tmp_path / "house").list()
    assert model.components["unet"].path == tmp_path / "house/models/tiny/unet"


@pytest.mark.parametrize("name", ["", "a/b", "..", "-x", "a b", "x" * 101])
def test_a_name_that_would_not_survive_a_command_line_is_refused(
    registry: Registry, model: Path, name: str
) -> None:
    with pytest.raises(BadName, match="no name for a model"):
        registry.add(model, name=name)


def break_truncated(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:-9])


def break_text(folder: Path) -> None:
    (folder / WEIGHTS).write_text("this is no weight file")


def break_pickle(folder: Path) -> None:
    (folder / WEIGHTS).rename(folder / "unet/diffusion_pytorch_model.bin")


def break_missing_weights(folder: Path) -> None:
    (folder / WEIGHTS).unlink()


def break_missing_config(folder: Path) -> None:
    (folder / "vae/config.json").unlink()


def break_missing_folder(folder: Path) -> None:
    shutil.rmtree(folder / "vae")


def break_empty_folder(folder: Path) -> None:
    (folder / "scheduler/scheduler_config.json").unlink()


def break_no_index(folder: Path) -> None:
    (folder / "model_index.json").unlink()


def break_garbled_index(folder: Path) -> None:
    (folder / "model_index.json").write_text("{")


def break_list_index(folder: Path) -> None:
    write_json(folder / "model_index.json", [1])


def break_no_components(folder: Path) -> None:
    write_json(folder / "model_index.json", {"_class_name": "X", "vae": [None, None]})


def break_own_code(folder: Path) -> None:
    edit_index(folder, _class_name=["pipeline.py", "Mine"])


def break_path_as_role(folder: Path) -> None:
    edit_index(folder, **{"../vae": ["diffusers", "AutoencoderKL"]})


def break_class_name(folder: Path) -> None:
    edit_index(folder, vae=["diffusers", None])


def break_library(folder: Path) -> None:
    edit_index(folder, vae=["os", "system"])


def break_loop_of_links(folder: Path) -> None:
    (folder / "model_index.json").unlink()
    (folder / "model_index.json").symlink_to("model_index.json")


@pytest.mark.parametrize(
    ("damage", "error", "named"),
    [
        (break_truncated, CorruptWeights, WEIGHTS),
        (break_text, CorruptWeights, WEIGHTS),
        (break_pickle, UnsafeWeights, r"unet/diffusion_pytorch_model\.bin"),
        (break_missing_weights, BadModelFolder, "'unet'.*no safetensors weights"),
        (break_missing_config, BadModelFolder, r"vae/config\.json is missing"),
        (break_missing_folder, BadModelFolder, "'vae'.*has no folder"),
        (break_empty_folder, BadModelFolder, "'scheduler'"),
        (break_no_index, BadModelFolder, r"model_index\.json is missing"),
        (break_garbled_index, BadModelFolder, r"model_index\.json cannot be read as JSON"),
        (break_list_index, BadModelFolder, "holds no JSON object"),
        (break_no_components, BadModelFolder, "names no component"),
        (break_own_code, BadModelFolder, "pipeline class"),
        (break_path_as_role, BadModelFolder, r"bad entry '\.\./vae'"),
        (break_class_name, BadModelFolder, "bad entry 'vae'"),
        (break_library, LibraryRefused, "'vae' wants a class of 'os'"),
        (break_loop_of_links, BadModelFolder, r"model_index\.json"),
    ],
)
def test_a_bad_folder_is_refused_by_name_and_leaves_nothing(
    registry: Registry, engine: Engine, model: Path, damage: Any, error: type, named: str
) -> None:
    damage(model)
    with pytest.raises(RegistryError, match=named) as caught:
        registry.add(model)
    assert type(caught.value) is error
    assert "\n" not in str(caught.value)
    assert rows(engine) == {"model": 0, "component": 0, "model_component": 0}


def test_a_failed_update_keeps_the_model_that_was_there(registry: Registry, model: Path) -> None:
    first = registry.add(model)
    break_truncated(model)
    with pytest.raises(CorruptWeights):
        registry.add(model)
    assert registry.list() == [first]


@pytest.mark.parametrize(
    ("file", "error"), [("v1-5.ckpt", UnsafeWeights), ("x.safetensors", BadModelFolder)]
)
def test_a_single_file_is_no_model(
    registry: Registry, tmp_path: Path, file: str, error: type[RegistryError]
) -> None:
    (tmp_path / file).write_bytes(b"\x80\x04.")
    with pytest.raises(error, match=file):
        registry.add(tmp_path / file)
    with pytest.raises(BadModelFolder, match="There is no folder"):
        registry.add(tmp_path / "nowhere")


def test_a_link_that_leads_nowhere_is_named(registry: Registry, model: Path) -> None:
    (model / "scheduler/loop").symlink_to("loop")
    with pytest.raises(BadModelFolder, match="loop cannot be read"):
        registry.add(model)


def test_components_of_a_pipelines_own_module_are_accepted(registry: Registry, model: Path) -> None:
    shutil.copytree(model / "vae", model / "safety_checker")
    edit_index(model, safety_checker=["stable_diffusion", "StableDiffusionSafetyChecker"])
    assert registry.add(model).components["safety_checker"].kind is None


def test_a_declared_library_must_be_installed(registry: Registry, model: Path) -> None:
    edit_index(model, vae=["omnifex_stranger.parts", "Autoencoder"])
    allow_library("omnifex_stranger")
    with pytest.raises(LibraryRefused, match=r"'omnifex_stranger\.parts', which is not installed"):
        registry.add(model)


@pytest.mark.parametrize("immediate", [True, False])
def test_many_threads_add_one_model_once(engine: Engine, tmp_path: Path, immediate: bool) -> None:
    """Also where transactions begin as readers and meet another's rows when they write."""
    if not immediate:
        engine = create_engine(engine.url, connect_args={"timeout": 30})
    folders = [write_model(tmp_path / f"m{number % 2}", scale=number % 2) for number in range(8)]
    registry = Registry(engine, tmp_path)
    with ThreadPoolExecutor(8) as pool:
        added = list(pool.map(registry.add, folders))
    counts = rows(engine)
    engine.dispose()
    assert {model.name for model in added} == {"m0", "m1"}
    assert counts == {"model": 2, "component": 4, "model_component": 6}


def test_a_model_that_another_process_adds_in_between_is_met_again(
    engine: Engine, model: Path, tmp_path: Path
) -> None:
    deferred = create_engine(engine.url)

    @event.listens_for(deferred, "before_cursor_execute")
    def intrude(db: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if statement.startswith("INSERT") and not rows(engine)["model"]:
            Registry(engine, tmp_path).add(model, family="theirs")

    added = Registry(deferred, tmp_path).add(model)
    deferred.dispose()
    assert added.family == "theirs"
    assert rows(engine) == {"model": 1, "component": 3, "model_component": 3}


@pytest.mark.parametrize(
    ("role", "kind"),
    [
        ("unet", Kind.BACKBONE),
        ("transformer_2", Kind.BACKBONE),
        ("audio_vae", Kind.AUTOENCODER),
        ("text_encoder_3", Kind.CONDITIONER),
        ("text_decoder", Kind.DECODER),
        ("vocoder", Kind.DECODER),
        ("controlnet", Kind.ADAPTER),
        ("conditioner", Kind.CONDITIONER),
        ("tokenizer_2", None),
        ("prior_scheduler", None),
        ("safety_checker", None),
    ],
)
def test_slots_play_the_roles_of_the_design(role: str, kind: Kind | None) -> None:
    assert kind_of(role) is kind


def test_values_can_be_keys(registry: Registry, model: Path) -> None:
    added = registry.add(model)
    parts: dict[Component, str] = {part: part.role for part in added.components.values()}
    assert parts[registry.show("tiny").components["vae"]] == "vae"


def test_models_side_by_side_share_a_folder(registry: Registry, tmp_path: Path) -> None:
    whole = registry.add(write_model(tmp_path / "whole"))
    index = {"_class_name": "StableDiffusionPipeline"}
    index |= {"vae": ["diffusers", "AutoencoderKL", "../whole/vae"]}  # type: ignore[dict-item]
    write_json(tmp_path / "part/model_index.json", index)
    part = registry.add(tmp_path / "part")
    assert registry.show("part").components == part.components
    assert part.components["vae"].id == whole.components["vae"].id
    assert part.components["vae"].path == tmp_path / "whole/vae"


def test_a_component_may_not_lie_anywhere(registry: Registry, tmp_path: Path) -> None:
    index = {"_class_name": "X", "vae": ["diffusers", "AutoencoderKL", "../../../etc"]}
    write_json(tmp_path / "part/model_index.json", index)
    with pytest.raises(BadModelFolder, match="neither in the model's folder"):
        registry.add(tmp_path / "part")
