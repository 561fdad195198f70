import json
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import (
    Affine,
    Forgetful,
    Words,
    name_plain,
    save_plain,
    save_stable_diffusion,
    write_json,
)

from omnifex_registry import (
    BadModelFolder,
    Component,
    UnsafeWeights,
    allow_library,
    in_dtype,
    load_component,
    load_skeleton,
)
from omnifex_registry.dtypes import default_dtype
from omnifex_registry.errors import (
    LeftOnMeta,
    LibraryRefused,
    LoadFailed,
    UnknownClass,
    WeightsChanged,
    WeightsMismatch,
)
from omnifex_registry.identify import identify
from omnifex_registry.layout import read_layout
from omnifex_registry.loading import ALIGNMENT

allow_library("tiny_models")


def parts(folder: Path) -> dict[str, Component]:
    return {slot.role: identify(slot) for slot in read_layout(folder).slots}


@pytest.fixture(scope="module")
def diffusion(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Component]:
    return parts(save_stable_diffusion(tmp_path_factory.mktemp("models") / "sd"))


@pytest.fixture
def affine(tmp_path: Path) -> Component:
    torch.manual_seed(0)
    return parts(save_plain(tmp_path / "affine", Affine(3), size=3))["backbone"]


def weights_of(component: Component) -> Path:
    (path,) = component.path.glob("*.safetensors")
    return path


def tensors(module: Any) -> list[torch.Tensor]:
    return list(chain(module.parameters(), module.buffers()))


@pytest.mark.parametrize("role", ["unet", "vae", "text_encoder"])
def test_a_module_of_diffusers_or_transformers_has_the_weights_of_its_file(
    diffusion: dict[str, Component], role: str, capfd: pytest.CaptureFixture[str]
) -> None:
    component = diffusion[role]
    module = load_component(component)
    stored = load_file(weights_of(component))
    assert type(module).__name__ == component.class_name
    assert all(torch.equal(tensor, stored[name]) for name, tensor in module.state_dict().items())
    assert not module.training
    assert not any(tensor.requires_grad for tensor in tensors(module))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("role", ["unet", "text_encoder"])
def test_floating_tensors_become_the_dtype_that_was_asked_for(
    diffusion: dict[str, Component], role: str
) -> None:
    module = load_component(diffusion[role], dtype=torch.bfloat16)
    assert {tensor.dtype for tensor in module.parameters()} == {torch.bfloat16}


def test_a_tokenizer_and_a_scheduler_are_loaded(diffusion: dict[str, Component]) -> None:
    assert len(load_component(diffusion["tokenizer"])("a cube").input_ids) > 2
    assert load_component(diffusion["scheduler"]).config.num_train_timesteps == 1000


@pytest.mark.parametrize("role", ["unet", "text_encoder"])
def test_tensors_do_not_lie_where_the_header_of_their_file_ends(
    diffusion: dict[str, Component], role: str, tmp_path: Path
) -> None:
    module = load_component(diffusion[role])
    assert {tensor.data_ptr() % ALIGNMENT for tensor in tensors(module)} == {0}


def test_a_plain_module_is_built_from_its_config_and_tensors(affine: Component) -> None:
    module = load_component(affine)
    torch.manual_seed(0)
    expected = Affine(3)
    assert torch.equal(module(torch.ones(3)), expected(torch.ones(3)))
    assert not module.training
    half = load_component(affine, dtype=torch.float16)
    assert {name: tensor.dtype for name, tensor in half.state_dict().items()} == {
        "linear.weight": torch.float16,
        "linear.bias": torch.float16,
        "calls": torch.int64,
    }


def test_weights_stored_in_half_precision_are_float32_on_a_cpu(tmp_path: Path) -> None:
    folder = save_plain(tmp_path / "half", Affine(2).half(), size=2)
    component = parts(folder)["backbone"]
    assert component.dtypes == {"F16": 6, "I64": 1}
    assert load_component(component).linear.weight.dtype is torch.float32
    assert default_dtype(component, torch.device("cuda")) is torch.float16


def test_a_loaded_module_outlives_its_file(affine: Component) -> None:
    module = load_component(affine)
    weights_of(affine).write_bytes(b"")
    assert torch.isfinite(module(torch.ones(3))).all()


def test_a_part_without_tensors_is_made_from_its_config(tmp_path: Path) -> None:
    write_json(tmp_path / "backbone/config.json", {"words": ["red"]})
    name_plain(tmp_path, "Words")
    component = parts(tmp_path)["backbone"]
    assert component.weightless
    loaded = load_component(component)
    assert isinstance(loaded, Words)
    assert loaded.words == ["red"]


def test_a_module_whose_weights_were_forgotten_is_refused(tmp_path: Path) -> None:
    write_json(tmp_path / "backbone/config.json", {"size": 2})
    name_plain(tmp_path, "Affine")
    with pytest.raises(WeightsMismatch, match=r"missing: linear\.bias, linear\.weight"):
        load_component(parts(tmp_path)["backbone"])


@pytest.mark.parametrize(
    ("names", "size", "why"),
    [
        ({"linear.bias": None}, 3, r"missing: linear\.bias"),
        ({"extra": torch.zeros(2)}, 3, "unexpected: extra"),
        ({}, 4, r"of another shape: linear\.bias, linear\.weight"),
        ({f"e{number}": torch.zeros(1) for number in range(5)}, 3, "e0, e1, e2 and 2 more"),
    ],
)
def test_tensors_that_are_not_those_of_the_class_are_named(
    affine: Component, names: dict[str, torch.Tensor | None], size: int, why: str
) -> None:
    state = load_file(weights_of(affine)) | names
    save_file({k: v.clone() for k, v in state.items() if v is not None}, weights_of(affine))
    write_json(affine.path / "config.json", {"size": size})
    with pytest.raises(WeightsMismatch, match=why) as caught:
        load_component(parts(affine.path.parent)["backbone"])
    assert caught.value.code == "weights_mismatch"


def test_a_class_of_transformers_does_not_start_with_random_weights(tmp_path: Path) -> None:
    folder = save_stable_diffusion(tmp_path / "sd")
    path = folder / "text_encoder/model.safetensors"
    state = load_file(path)
    state.pop("final_layer_norm.bias")
    save_file(state, path, metadata={"format": "pt"})
    with pytest.raises(WeightsMismatch, match=r"missing: final_layer_norm\.bias"):
        load_component(parts(folder)["text_encoder"])
    config = folder / "vae/config.json"
    write_json(config, json.loads(config.read_text()) | {"latent_channels": 8})
    with pytest.raises(WeightsMismatch, match="of another shape"):
        load_component(parts(folder)["vae"])


def test_a_tensor_that_no_file_holds_is_told_to_the_author(tmp_path: Path) -> None:
    folder = save_plain(tmp_path / "forgetful", Forgetful(3), size=3)
    with pytest.raises(LeftOnMeta, match=r"Forgetful has no values for table.*forward"):
        load_component(parts(folder)["backbone"])


def test_files_other_than_the_registered_ones_are_refused(affine: Component) -> None:
    save_file({"linear.weight": torch.zeros(4, 4)}, weights_of(affine))
    with pytest.raises(WeightsChanged, match="add the model again"):
        load_component(affine)
    (affine.path / "optimizer.pt").write_bytes(b"\x80")
    with pytest.raises(UnsafeWeights, match=r"optimizer\.pt"):
        load_component(affine)


def test_a_folder_that_is_gone_is_named(affine: Component, tmp_path: Path) -> None:
    gone = replace(affine, path=tmp_path / "gone")
    with pytest.raises(BadModelFolder, match=r"gone of component 'backbone' is gone"):
        load_component(gone)


@pytest.mark.parametrize(
    ("library", "class_name", "error", "why"),
    [
        ("os", "PathLike", LibraryRefused, "'os'"),
        ("tiny_models", "Nothing", UnknownClass, "no class of this name"),
        ("tiny_models", "write_json", UnknownClass, "no class of this name"),
        ("tiny_models", "Path", UnknownClass, "neither from_pretrained nor from_config"),
        ("stable_diffusion", "_Private", UnknownClass, "no class of this name"),
    ],
)
def test_a_class_that_is_none_of_ours_is_refused(
    affine: Component, library: str, class_name: str, error: type[Exception], why: str
) -> None:
    with pytest.raises(error, match=why):
        load_component(replace(affine, library=library, class_name=class_name))


def test_a_name_that_transformers_dropped_finds_its_successor(tmp_path: Path) -> None:
    write_json(tmp_path / "feature_extractor/preprocessor_config.json", {"do_resize": False})
    write_json(
        tmp_path / "model_index.json",
        {"_class_name": "X", "feature_extractor": ["transformers", "CLIPFeatureExtractor"]},
    )
    loaded = load_component(parts(tmp_path)["feature_extractor"])
    assert type(loaded).__name__.startswith("CLIPImageProcessor")


def test_a_config_that_the_class_refuses_is_named(affine: Component) -> None:
    write_json(affine.path / "config.json", {"length": 3})
    with pytest.raises(LoadFailed, match=r"Affine could not be loaded .*'size'") as caught:
        load_component(affine)
    assert caught.value.code == "load_failed"


def test_equal_tensors_behind_headers_of_any_length_give_equal_bits(tmp_path: Path) -> None:
    torch.manual_seed(0)
    folder = save_plain(tmp_path / "affine", Affine(64), size=64)
    component = parts(folder)["backbone"]
    state, results = load_file(weights_of(component)), []
    for padding in ("", "x" * 24, "x" * 57):
        save_file(
            {name: tensor.clone() for name, tensor in state.items()},
            weights_of(component),
            metadata={"padding": padding},
        )
        assert parts(folder)["backbone"].id == component.id
        results.append(load_component(component)(torch.linspace(-1, 1, 64)))
    assert all(torch.equal(result, results[0]) for result in results)


def test_loading_leaves_the_global_random_state_alone(tmp_path: Path) -> None:
    import diffusers

    durations = diffusers.StableAudioProjectionModel(8, 4, 0, 32)  # its class draws when it is made
    durations.save_pretrained(tmp_path / "projection_model")
    write_json(
        tmp_path / "model_index.json",
        {"_class_name": "X", "projection_model": ["stable_audio", "StableAudioProjectionModel"]},
    )
    before = torch.get_rng_state()
    load_component(parts(tmp_path)["projection_model"])
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("role", ["unet", "vae", "text_encoder"])
def test_a_skeleton_has_the_shape_of_the_module_and_no_values(
    diffusion: dict[str, Component], role: str
) -> None:
    skeleton = load_skeleton(diffusion[role], dtype=torch.bfloat16)
    real = load_component(diffusion[role], dtype=torch.bfloat16)
    described = {name: (t.shape, t.dtype) for name, t in skeleton.state_dict().items()}
    assert described == {name: (t.shape, t.dtype) for name, t in real.state_dict().items()}
    assert {tensor.device.type for tensor in tensors(skeleton)} == {"meta"}
    assert not skeleton.training


def test_a_component_may_demand_a_type_of_its_own(affine: Component) -> None:
    double = in_dtype(affine, torch.float64)
    assert double.id != affine.id
    assert load_component(double, dtype=torch.float16).linear.weight.dtype is torch.float64
    assert in_dtype(in_dtype(double, torch.float16), None) == affine
    assert load_skeleton(affine).linear.weight.is_meta
