"""Models in other forms than a folder that stays where it is: copies, archives, single files."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_pipelines
import torch
from safetensors.torch import load_file, save_file
from sqlalchemy import Engine
from tiny_checkpoints import ldm_state, write_gguf
from tiny_models import write_component, write_json, write_model

import omnifex_jobs
from omnifex_registry import (
    BadModelFolder,
    Model,
    Registry,
    RegistryError,
    UnsafeWeights,
    load_component,
    migrate,
)
from omnifex_registry.adding import Wanted, add
from omnifex_registry.errors import (
    AbsurdConfig,
    CorruptWeights,
    RemoteCode,
    UnknownBase,
    WeightsMismatch,
)
from omnifex_registry.fitting import check_fit
from omnifex_registry.verification import damaged


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Tiny pipelines by name, each saved once."""
    folder = tmp_path_factory.mktemp("tiny")

    def saved(name: str) -> Path:
        place = folder / name
        return place if place.exists() else tiny_pipelines.save(name, place)

    return saved


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = omnifex_jobs.open_database(f"sqlite:///{tmp_path / 'home.db'}")
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def registry(engine: Engine, tmp_path: Path) -> Registry:
    return Registry(engine, tmp_path / "home")


@pytest.fixture
def take(registry: Registry) -> Callable[..., Model]:
    def call(source: Path, **wanted: Any) -> Model:
        return add(registry, source, Wanted(check=check_fit, **wanted))

    return call


@pytest.fixture
def loose(registry: Registry) -> Callable[..., Model]:
    """Adds models of made-up tensors, which fit no class."""

    def call(source: Path, **wanted: Any) -> Model:
        return add(registry, source, Wanted(**wanted))

    return call


def on_disk(folder: Path) -> int:
    """Bytes of all weight files, each inode once."""
    files = {path.stat().st_ino: path.stat().st_size for path in folder.rglob("*.safetensors")}
    return sum(files.values())


def left_behind(registry: Registry) -> list[str]:
    folder = registry.owned.folder
    return [path.name for path in folder.iterdir()] if folder.exists() else []


# The home's own files


def test_copies_share_what_is_equal_until_the_last_is_removed(
    loose: Callable[..., Model], registry: Registry, tmp_path: Path
) -> None:
    one = loose(write_model(tmp_path / "one"), copy=True)
    alone = on_disk(registry.owned.folder)
    two = loose(write_model(tmp_path / "two", scale=2), copy=True)
    assert one.components["vae"].id == two.components["vae"].id
    added = on_disk(registry.owned.folder) - alone
    assert added == on_disk(two.path / "unet")
    assert registry.users(two)["vae"] == ["one", "two"]
    registry.remove("one")
    assert list(damaged(two)) == []
    registry.remove("two")
    assert left_behind(registry) == []
    assert (tmp_path / "one/unet").exists()


def test_a_copy_has_nothing_but_the_model(loose: Callable[..., Model], tmp_path: Path) -> None:
    folder = write_model(tmp_path / "one")
    (folder / "notes.pdf").write_text("mine")
    whole = folder / "unet/diffusion_pytorch_model.safetensors"
    (folder / "unet/diffusion_pytorch_model.fp16.safetensors").write_bytes(whole.read_bytes())
    model = loose(folder, copy=True)
    names = {path.relative_to(model.path).as_posix() for path in model.path.rglob("*.*")}
    assert "unet/diffusion_pytorch_model.safetensors" in names
    assert "unet/diffusion_pytorch_model.fp16.safetensors" not in names
    assert "notes.pdf" not in names


def test_what_a_killed_process_left_is_swept_away(
    loose: Callable[..., Model], registry: Registry, tmp_path: Path
) -> None:
    (registry.owned.folder / ".new-999999999-abc").mkdir(parents=True)
    (registry.owned.folder / f".new-{os.getpid()}-abc").mkdir()
    model = loose(write_model(tmp_path / "one"), copy=True)
    assert sorted(left_behind(registry)) == [f".new-{os.getpid()}-abc", model.path.name]


def test_a_variant_of_a_folder_is_chosen_and_stays_chosen(
    take: Callable[..., Model], tiny: Callable[[str], Path], registry: Registry, tmp_path: Path
) -> None:
    folder = tmp_path / "sd15"
    shutil.copytree(tiny("sd15"), folder)
    weights = folder / "unet/diffusion_pytorch_model.safetensors"
    half = {name: tensor.half() for name, tensor in load_file(weights).items()}
    save_file(half, folder / "unet/diffusion_pytorch_model.fp16.safetensors")
    plain = take(folder)
    take(folder, name="half", variant="fp16")
    assert set(plain.components["unet"].dtypes) == {"F32"}
    assert set(registry.show("half").components["unet"].dtypes) == {"F16"}
    assert load_component(registry.show("half").components["unet"], dtype=torch.float16)


def test_verifying_reads_the_files_again(loose: Callable[..., Model], tmp_path: Path) -> None:
    model = loose(write_model(tmp_path / "one"))
    assert list(damaged(model)) == []
    file = tmp_path / "one/unet/diffusion_pytorch_model.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    ((role, reason),) = damaged(model)
    assert (role, "not those that were added" in reason) == ("unet", True)


def test_an_alias_stands_for_a_model_until_it_is_given_away(
    loose: Callable[..., Model], registry: Registry, tmp_path: Path
) -> None:
    one, two = (loose(write_model(tmp_path / name, scale=len(name))) for name in ("one", "three"))
    registry.alias("best", "one")
    assert registry.show("best").name == "one"
    assert registry.show("one").aliases == ("best",)
    registry.alias("best", "three")
    assert registry.show("best").components == two.components
    with pytest.raises(RegistryError, match="'one' belongs to another model"):
        registry.alias("one", "three")
    with pytest.raises(RegistryError, match="'best' belongs to another model"):
        loose(tmp_path / "one", name="best")
    registry.remove("three")
    with pytest.raises(RegistryError, match="no model 'best'"):
        registry.show("best")
    assert registry.unalias("best") is False
    assert one.name == "one"


# Archives


def zipped(folder: Path, archive: Path) -> Path:
    with zipfile.ZipFile(archive, "w") as opened:
        for path in folder.rglob("*.*"):
            opened.write(path, Path("tiny") / path.relative_to(folder))
    return archive


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
def test_an_archive_is_unpacked_into_the_home(
    loose: Callable[..., Model], registry: Registry, tmp_path: Path, suffix: str
) -> None:
    folder, archive = write_model(tmp_path / "files"), tmp_path / f"tiny{suffix}"
    if suffix == ".zip":
        zipped(folder, archive)
    else:
        with tarfile.open(archive, "w:gz") as opened:
            opened.add(folder, "tiny")
    model = loose(archive)
    assert (model.name, registry.owned.has(model.path)) == ("tiny", True)
    assert len(left_behind(registry)) == 1


def zip_entry(archive: Path, name: str, mode: int = 0o100644) -> None:
    entry = zipfile.ZipInfo(name)
    entry.external_attr = mode << 16
    with zipfile.ZipFile(archive, "a") as opened:
        opened.writestr(entry, "../../secret")


def tar_entry(archive: Path, name: str, kind: bytes = tarfile.REGTYPE) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, "/etc/passwd"
    with tarfile.open(archive, "w") as opened:
        opened.addfile(entry)


@pytest.mark.parametrize(
    ("file", "spoil", "said"),
    [
        ("a.zip", lambda path: zip_entry(path, "../x.json"), "leads out of it"),
        ("a.zip", lambda path: zip_entry(path, "/etc/x.json"), "leads out of it"),
        ("a.zip", lambda path: zip_entry(path, "C:\\x.json"), "leads out of it"),
        ("a.zip", lambda path: zip_entry(path, "m/vae", 0o120777), "is a link"),
        ("a.zip", lambda path: zip_entry(path, "m/unet/model.bin"), "is a pickle"),
        ("a.zip", lambda path: path.write_text("no zip"), "cannot be unpacked"),
        ("a.tar", lambda path: tar_entry(path, "../x.json"), "leads out of it"),
        ("a.tar", lambda path: tar_entry(path, "m/vae", tarfile.SYMTYPE), "is a link"),
        ("a.tar", lambda path: tar_entry(path, "m/vae", tarfile.LNKTYPE), "is a link"),
        ("a.tar", lambda path: tar_entry(path, "m/x.json"), "has no model_index.json"),
    ],
)
def test_a_bad_archive_is_refused_before_anything_is_unpacked(
    loose: Callable[..., Model],
    registry: Registry,
    tmp_path: Path,
    file: str,
    spoil: Any,
    said: str,
) -> None:
    spoil(tmp_path / file)
    with pytest.raises(RegistryError, match=said) as caught:
        loose(tmp_path / file)
    assert "\n" not in str(caught.value)
    assert (registry.list(), left_behind(registry)) == ([], [])


# Single files


def test_a_backbone_in_one_file_takes_the_rest_from_its_base(
    take: Callable[..., Model], tiny: Callable[[str], Path], registry: Registry, tmp_path: Path
) -> None:
    flux = take(tiny("flux"), copy=True)
    weights = load_file(next(flux.components["transformer"].path.glob("*.safetensors")))
    save_file({name: tensor * 2 for name, tensor in weights.items()}, tmp_path / "bold.safetensors")
    before = on_disk(registry.owned.folder)
    bold = take(tmp_path / "bold.safetensors", base="flux")
    assert bold.class_name == "FluxPipeline"
    differing = {
        role for role, part in bold.components.items() if part.id != flux.components[role].id
    }
    assert differing == {"transformer"}
    assert on_disk(registry.owned.folder) - before == on_disk(bold.path / "transformer")
    loaded = load_component(bold.components["transformer"]).state_dict()
    assert all(torch.equal(loaded[name], weights[name] * 2) for name in weights)


def test_a_whole_checkpoint_is_known_by_its_keys_and_converted_offline(
    take: Callable[..., Model], tiny: Callable[[str], Path], tmp_path: Path
) -> None:
    """Stable Diffusion as it was first published: one file, other names."""
    save_file(ldm_state(tiny("sd15")), tmp_path / "v1-5.safetensors")
    with pytest.raises(UnknownBase, match=r"checkpoint of type v1.*add the model"):
        take(tmp_path / "v1-5.safetensors")
    original = take(tiny("sd15"))
    converted = take(tmp_path / "v1-5.safetensors")
    assert (converted.name, converted.source["base"]) == ("v1-5", "sd15")
    for role in ("unet", "vae", "text_encoder"):
        one, two = (load_component(m.components[role]).state_dict() for m in (original, converted))
        assert all(torch.equal(one[name], two[name]) for name in one), role


def test_a_quantised_backbone_stays_quantised(
    take: Callable[..., Model], tiny: Callable[[str], Path], registry: Registry, tmp_path: Path
) -> None:
    flux = take(tiny("flux"))
    weights = load_file(next(flux.components["transformer"].path.glob("*.safetensors")))
    file = write_gguf(tmp_path / "small.gguf", weights)
    small = take(file, base="flux")
    part = registry.show("small").components["transformer"]
    assert part.dtypes["Q8_0"] > 20 * part.dtypes["F32"]
    assert part.bytes < 0.3 * flux.components["transformer"].bytes
    assert small.components["vae"].path.resolve() == flux.components["vae"].path
    module = load_component(part)
    assert {type(weight).__name__ for weight in module.parameters()} == {
        "GGUFParameter",
        "Parameter",
    }
    assert list(damaged(small)) == []
    file.write_bytes(b"GGUF" + bytes(50))
    with pytest.raises(CorruptWeights, match="garbled"):
        take(file, base="flux")


def adapter(tmp_path: Path, tensors: dict[str, Any], **metadata: str) -> Path:
    file = tmp_path / "adapter.safetensors"
    save_file({name: torch.zeros(shape) for name, shape in tensors.items()}, file, metadata or None)
    return file


KOHYA = {
    "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight": (
        4,
        768,
    ),
    "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k.lora_up.weight": (320, 4),
}
PEFT = {
    "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.lora_A.weight": (8, 2048),
    "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.lora_B.weight": (640, 8),
}
FLUX = {
    "transformer.single_transformer_blocks.0.attn.to_k.lora_A.weight": (16, 3072),
    "transformer.single_transformer_blocks.0.attn.to_k.lora_B.weight": (3072, 16),
}


@pytest.mark.parametrize(
    ("tensors", "metadata", "found"),
    [
        (KOHYA, {}, {"_class_name": "LoRA", "base": "sd15", "rank": 4}),
        (PEFT, {}, {"_class_name": "LoRA", "base": "sdxl", "rank": 8}),
        (FLUX, {}, {"_class_name": "LoRA", "base": "flux", "rank": 16}),
        (
            {"a.lora_A.weight": (2, 8), "a.lora_B.weight": (8, 2)},
            {"modelspec.architecture": "stable-diffusion-xl-v1-base/lora"},
            {"_class_name": "LoRA", "base": "sdxl", "rank": 2},
        ),
        (
            {"image_proj.proj.weight": (3072, 1024), "ip_adapter.1.to_k_ip.weight": (320, 768)},
            {},
            {"_class_name": "IPAdapter", "base": "sd15"},
        ),
        ({"emb_params": (2, 768)}, {}, {"_class_name": "TextualInversion", "base": "sd15"}),
        (
            {"clip_l": (1, 768), "clip_g": (1, 1280)},
            {},
            {"_class_name": "TextualInversion", "base": "sdxl"},
        ),
    ],
    ids=["kohya", "peft", "flux", "metadata", "ip-adapter", "embedding", "sdxl-embedding"],
)
def test_an_adapter_file_is_told_by_its_keys(
    take: Callable[..., Model], tmp_path: Path, tensors: Any, metadata: Any, found: Any
) -> None:
    model = take(adapter(tmp_path, tensors, **metadata))
    assert model.kind == "adapter"
    assert {name: model.config.get(name) for name in found} == found
    (part,) = model.components.values()
    assert (part.path / "adapter.safetensors").is_file()


def test_adapters_that_are_folders_are_models_too(
    loose: Callable[..., Model], registry: Registry, tmp_path: Path
) -> None:
    folder = tmp_path / "canny"
    write_component(folder, {"weight": np.ones((2, 2), np.float32)}, _class_name="ControlNetModel")
    model = loose(folder)
    assert (model.kind, model.components["controlnet"].path) == ("adapter", folder)
    assert registry.show("canny") == model
    assert loose(folder) == model


# Bad input


def absurd(folder: Path) -> None:
    edit(folder / "unet/config.json", layers_per_block=10**9)


def huge(folder: Path) -> None:
    edit(folder / "text_encoder/config.json", hidden_size=10**12)


def wider(folder: Path) -> None:
    edit(folder / "text_encoder/config.json", intermediate_size=1_000_000)


def dunder(folder: Path) -> None:
    change(folder / "unet", lambda tensors: {**tensors, "conv.__class__.x": torch.zeros(1)})


def with_nan(folder: Path) -> None:
    change(folder / "unet", lambda tensors: {**tensors, "x": torch.tensor([1.0, float("nan")])})


def truncated(folder: Path) -> None:
    file = next((folder / "vae").glob("*.safetensors"))
    file.write_bytes(file.read_bytes()[:-5])


def custom_code(folder: Path) -> None:
    (folder / "unet/modeling.py").write_text("print('hello')")


def named_code(folder: Path) -> None:
    (folder / "mine.py").write_text("print('hello')")
    edit(folder / "model_index.json", unet=["mine", "Net"])


def auto_map(folder: Path) -> None:
    edit(folder / "text_encoder/config.json", auto_map={"AutoModel": "x.Y"})


def lacking(folder: Path) -> None:
    index = json.loads((folder / "model_index.json").read_text())
    del index["text_encoder"]
    write_json(folder / "model_index.json", index)


def extra(folder: Path) -> None:
    edit(folder / "model_index.json", vae_2=["diffusers", "AutoencoderKL", "vae"])


def outside(folder: Path) -> None:
    edit(folder / "model_index.json", vae=["diffusers", "AutoencoderKL", "../../../vae"])


def renamed_pickle(folder: Path) -> None:
    file = next((folder / "unet").glob("*.safetensors"))
    torch.save({"x": torch.zeros(2)}, file)


def edit(path: Path, **entries: Any) -> None:
    write_json(path, json.loads(path.read_text()) | entries)


def change(folder: Path, how: Callable[[Any], Any]) -> None:
    file = next(folder.glob("*.safetensors"))
    save_file(how(load_file(file)), file)


@pytest.mark.parametrize("copy", [False, True])
@pytest.mark.parametrize(
    ("spoil", "error", "said"),
    [
        (absurd, AbsurdConfig, "layers_per_block = 1000000000"),
        (huge, AbsurdConfig, "hidden_size"),
        (wider, WeightsMismatch, "config.json asks for"),
        (dunder, CorruptWeights, "conv.__class__.x"),
        (with_nan, CorruptWeights, "'x' holds NaN"),
        (truncated, CorruptWeights, "vae"),
        (custom_code, RemoteCode, r"modeling\.py"),
        (named_code, RemoteCode, r"mine\.py"),
        (auto_map, RemoteCode, "auto_map"),
        (lacking, BadModelFolder, "lacks text_encoder"),
        (extra, BadModelFolder, "does not know vae_2"),
        (outside, BadModelFolder, "neither in the model's folder nor in one beside it"),
        (renamed_pickle, UnsafeWeights, "is a pickle"),
    ],
)
def test_a_bad_model_is_refused_in_one_sentence_and_leaves_nothing(
    take: Callable[..., Model],
    tiny: Callable[[str], Path],
    registry: Registry,
    tmp_path: Path,
    spoil: Any,
    error: type,
    said: str,
    copy: bool,
) -> None:
    folder = tmp_path / "a/sd15"
    shutil.copytree(tiny("sd15"), folder)
    spoil(folder)
    with pytest.raises(error, match=said) as caught:
        take(folder, copy=copy)
    assert "\n" not in str(caught.value)
    assert (registry.list(), left_behind(registry)) == ([], [])


@pytest.mark.parametrize("name", ["a.ckpt", "a.pt", "a.bin", "a.safetensors", "a.zip"])
def test_a_pickled_file_is_refused_by_name(
    loose: Callable[..., Model], registry: Registry, tmp_path: Path, name: str
) -> None:
    torch.save({"x": torch.zeros(2)}, tmp_path / name)
    with pytest.raises(RegistryError, match=name):
        loose(tmp_path / name)
    assert (registry.list(), left_behind(registry)) == ([], [])
