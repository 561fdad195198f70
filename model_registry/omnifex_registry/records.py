"""The registry's values: a model and its components."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omnifex_registry.config import digest
from omnifex_registry.kinds import Kind, kind_of


@dataclass(frozen=True, slots=True)
class Component:
    """A loadable part of a model; equal ids mean equal class, config and weights."""

    id: str  # "sha256:" and 64 hex digits
    role: str  # the slot in model_index.json: "unet", "vae", "text_encoder_2"
    library: str
    class_name: str
    path: Path
    bytes: int  # of all tensors, as stored
    parameters: int
    dtypes: Mapping[str, int] = field(hash=False)  # parameters by safetensors dtype, "F16"
    weightless: bool  # a tokenizer, a scheduler: identified by its files
    computes_in: str | None = None  # "float32", where the device's usual type will not do
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)  # how to run it
    variant: str | None = None  # which weight files of the folder: "fp16"

    @property
    def kind(self) -> Kind | None:
        """The design's role of this slot; None for slots that are no neural module."""
        return kind_of(self.role)


@dataclass(frozen=True, slots=True)
class Model:
    """A registered checkpoint in the diffusers layout, or an adapter of one."""

    name: str
    family: str | None
    class_name: str  # of the pipeline
    path: Path
    components: Mapping[str, Component] = field(hash=False)  # by role
    config: Mapping[str, Any] = field(hash=False)  # model_index.json
    added_at: int  # epoch, milliseconds
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)  # how to run it
    styles: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, hash=False)  # by name
    source: Mapping[str, Any] = field(default_factory=dict, hash=False)  # hub id, revision, licence
    variant: str | None = None
    aliases: tuple[str, ...] = ()
    others: "Mapping[str, Model]" = field(default_factory=dict, hash=False)  # beside it, in a job

    @property
    def kind(self) -> str:
        """ "adapter" for what changes another model (a LoRA, a ControlNet), else "model"."""
        kinds = {part.kind for part in self.components.values() if part.kind}
        alone = kinds <= {Kind.ADAPTER, Kind.CONDITIONER}  # an IP-Adapter brings an image encoder
        return "adapter" if Kind.ADAPTER in kinds and alone else "model"

    @property
    def version(self) -> str:
        """Names the contents: equal for equal components in equal roles."""
        return version_of({role: part.id for role, part in self.components.items()})

    @property
    def parts(self) -> list[Component]:
        """All that a job with it may call: its components, and those of the others."""
        models = (self, *self.others.values())
        return [part for model in models for part in model.components.values()]

    @property
    def bytes(self) -> int:
        """Bytes of all tensors; a component in two roles counts once."""
        return sum({part.id: part.bytes for part in self.components.values()}.values())


def version_of(components: Mapping[str, str]) -> str:
    """The version of a model with these component ids by role."""
    return digest(sorted(components.items()))[:8]
