"""A model in one file: identified by its keys, converted once into the diffusers layout.

Converted, and not read anew at every load: so its parts are components like any others, hashed,
shared with other models, and moved in and out of memory one by one. A GGUF file stays as it is,
for nothing else holds its types.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from omnifex_registry.adding import Wanted, owned_model
from omnifex_registry.config import read_config
from omnifex_registry.errors import BadModelFolder, RegistryError, UnknownBase
from omnifex_registry.gguf_files import SUFFIX, read_gguf
from omnifex_registry.headers import TensorInfo, read_header
from omnifex_registry.libraries import find_class
from omnifex_registry.records import Model
from omnifex_registry.registry import Registry, default_name
from omnifex_registry.sources import image_encoders
from omnifex_registry.sources.adapters import adapter_of, write_adapter
from omnifex_registry.sources.folder import rest_of, write_index
from omnifex_registry.sources.heads import head_of, take_head
from omnifex_registry.sources.owned import check_space

TEXT = ("cond_stage_model.", "conditioner.embedders.", "text_encoders.")
PICTURES = ("first_stage_model.", "encoder.", "decoder.", "quant_conv.", "post_quant_conv.")
DTYPES = {"F16": torch.float16, "BF16": torch.bfloat16}
# Pipelines of the checkpoints that diffusers tells apart by their keys.
PIPELINES = {
    "v1": "StableDiffusionPipeline",
    "v2": "StableDiffusionPipeline",
    "inpainting": "StableDiffusionInpaintPipeline",
    "xl_base": "StableDiffusionXLPipeline",
    "xl_refiner": "StableDiffusionXLImg2ImgPipeline",
    "sd3": "StableDiffusion3Pipeline",
    "sd35_large": "StableDiffusion3Pipeline",
    "sd35_medium": "StableDiffusion3Pipeline",
    "flux-dev": "FluxPipeline",
    "flux-schnell": "FluxPipeline",
    "wan-t2v-14B": "WanPipeline",
    "wan-t2v-1.3B": "WanPipeline",
}


def from_file(
    registry: Registry,
    path: Path,
    wanted: Wanted,
    *,
    name: str | None = None,
    source: Mapping[str, Any] | None = None,
) -> Model:
    """The file as a model of the home."""
    name = name or wanted.name or default_name(Path(path.stem))
    source = source or {"file": path.name}
    quantised = path.suffix == SUFFIX
    tensors = read_gguf(path) if quantised else read_header(path)
    with registry.owned.staging() as staged:
        check_space(staged, path.stat().st_size)
        if not quantised and (adapter := adapter_of(path, tensors)):
            write_adapter(path, adapter, staged)
            if adapter["_class_name"] == "IPAdapter":
                image_encoders.join(path, wanted.base, registry, staged)
        elif not quantised and (layers := head_of(tensors)):
            clip = take_head(path, tensors, layers, registry, wanted.base, staged)
            source = {**source, "base": clip.name}
        else:
            base = base_model(registry, path, tensors, wanted)
            source = {**source, "base": base.name}
            fill = take_quantised if quantised else convert
            fill(path, tensors, base, registry, staged)
        return owned_model(registry, staged, name, wanted, source)


def base_model(
    registry: Registry, path: Path, tensors: Mapping[str, TensorInfo], wanted: Wanted
) -> Model:
    """The model that gives what the file lacks: configs, tokenizers, and often most components."""
    if wanted.base:
        return registry.show(wanted.base)
    kind = type_of(tensors)
    suited = [model for model in registry.list() if model.class_name == PIPELINES.get(kind or "")]
    if len(suited) != 1:
        raise UnknownBase(path, kind, [model.name for model in suited])
    return suited[0]


def type_of(tensors: Mapping[str, TensorInfo]) -> str | None:
    """The name that diffusers has for checkpoints with such keys; None where it only guesses."""
    from diffusers.loaders.single_file_utils import CHECKPOINT_KEY_NAMES, infer_diffusers_model_type

    bare = {name.removeprefix("model.diffusion_model."): info for name, info in tensors.items()}
    found = str(infer_diffusers_model_type({**bare, **tensors}))
    known = CHECKPOINT_KEY_NAMES.get(found)
    names = [known] if isinstance(known, str) else known or []
    if found == "v1":  # what it says of everything that it does not know
        names = ["model.diffusion_model.input_blocks.0.0.weight"]
    sure = not names or any(name in tensors or name in bare for name in names)
    return found if sure else None


def convert(
    path: Path,
    tensors: Mapping[str, TensorInfo],
    base: Model,
    registry: Registry,
    place: Path,
) -> None:
    """Through diffusers' own conversion, with the base's configs in place of the hub's."""
    whole = any(name.startswith(TEXT) for name in tensors)
    with refusals(path, base):
        roles = convert_whole(path, tensors, base, place) if whole else None
        roles = roles or convert_part(path, tensors, base, place)
    rest_of(base, roles, place, registry.owned)
    write_index(place, base.config, iter(base.components))


def convert_whole(
    path: Path, tensors: Mapping[str, TensorInfo], base: Model, place: Path
) -> set[str]:
    """All that the file has; returns the roles."""
    import diffusers

    pipeline = getattr(diffusers, base.class_name).from_single_file(
        str(path), config=str(base.path), torch_dtype=dtype_of(tensors), local_files_only=True
    )
    saved = {
        role: part
        for role, part in pipeline.components.items()
        if role in base.components and hasattr(part, "save_pretrained")
    }
    for role, part in saved.items():
        part.save_pretrained(place / role)
    return set(saved)


def convert_part(
    path: Path, tensors: Mapping[str, TensorInfo], base: Model, place: Path
) -> set[str]:
    """The one component that the file is."""
    role = role_in(base, tensors)
    part = base.components[role]
    found: Any = find_class(part.library, part.class_name, role)
    module = found.from_single_file(
        str(path), config=str(part.path), torch_dtype=dtype_of(tensors), local_files_only=True
    )
    module.save_pretrained(place / role)
    return {role}


def take_quantised(
    path: Path,
    tensors: Mapping[str, TensorInfo],
    base: Model,
    registry: Registry,
    place: Path,
) -> None:
    """The file itself, beside the config of the component whose weights it has."""
    role = role_in(base, tensors)
    (place / role).mkdir()
    config = read_config(base.components[role].path / "config.json")
    (place / role / "config.json").write_text(json.dumps(config), encoding="utf-8")
    if path.is_symlink():  # into the hub's cache
        (place / role / f"model{SUFFIX}").symlink_to(path.resolve())
    else:
        shutil.copyfile(path, place / role / f"model{SUFFIX}")
    rest_of(base, {role}, place, registry.owned)
    write_index(place, base.config, iter(base.components))


def role_in(base: Model, tensors: Mapping[str, TensorInfo]) -> str:
    """Which component of the base the file replaces: its autoencoder, else its only backbone."""
    kind = "autoencoder" if all(name.startswith(PICTURES) for name in tensors) else "backbone"
    roles = [role for role, part in base.components.items() if part.kind == kind]
    if len(roles) != 1:
        raise BadModelFolder(
            f"The file is a {kind}, and model {base.name!r} has {len(roles)} of these "
            f"({', '.join(roles)}); choose another base."
        )
    return roles[0]


def dtype_of(tensors: Mapping[str, TensorInfo]) -> torch.dtype:
    """The precision that most of the file is in stays as it is."""
    count: dict[str, int] = {}
    for info in tensors.values():
        count[info.dtype] = count.get(info.dtype, 0) + info.parameters
    return DTYPES.get(max(count, key=lambda name: count[name], default="F32"), torch.float32)


@contextmanager
def refusals(path: Path, base: Model) -> Iterator[None]:
    try:
        yield
    except RegistryError:
        raise
    except Exception as error:
        why = " ".join(str(error).split())[:300].rstrip(".") or type(error).__name__
        raise BadModelFolder(
            f"The file {path} cannot be converted with the configs of {base.name!r}: {why}; "
            "choose the model that it was made from as --base."
        ) from error
