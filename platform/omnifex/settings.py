"""Settings of a model: how its parts are made fast or small, on whatever device runs them.

They are stored with the model and written into each job's recipe, for they change bits (attention,
compilation) or more than that (caches). docs/engine.md says what each of them brings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from omnifex.errors import OmnifexError
from omnifex_registry import Component, Model

OF_AUTOENCODERS = frozenset({"tiling", "slicing"})  # all others are of backbones


class InvalidSettings(OmnifexError):
    """A setting that no model has, or that this one cannot have."""

    code = "invalid_settings"


class Settings(BaseModel):
    """All off by default: each pays on some models and devices, and costs on others."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    attention: str | None = Field(default=None, description="An attention backend of diffusers.")
    compile: Literal["blocks", "whole"] | None = Field(
        default=None, description="What torch.compile is given: the repeated blocks, or all."
    )
    autotune: bool = Field(default=False, description="Whether compiling tries more kernels.")
    graphs: bool = Field(default=False, description="Replay CUDA graphs, one for each signature.")
    cache: Literal["first-block", "taylor-seer"] | None = Field(
        default=None, description="Skip blocks whose result is like that of the step before."
    )
    threshold: float = Field(default=0.05, gt=0, lt=1, description="Of the first-block cache.")
    interval: int = Field(
        default=5, ge=2, le=100, description="Of the taylor-seer cache, in steps."
    )

    quantize: Literal["int8", "fp8", "int4", "nf4"] | None = Field(
        default=None, description="Keep the linear layers in fewer bits (torchao, bitsandbytes)."
    )
    storage: Literal["float8"] | None = Field(
        default=None, description="Keep each layer in fewer bits until it computes."
    )
    offload: bool = Field(
        default=False, description="Keep weights in host memory, each layer going to the device."
    )
    tiling: bool = Field(default=False, description="The autoencoder works on tiles.")
    slicing: bool = Field(default=False, description="The autoencoder works on one item at a time.")

    @field_validator("attention", "compile", "cache", "quantize", "storage", mode="before")
    @classmethod
    def nothing(cls, value: Any) -> Any:
        """How a command line says None."""
        return None if value in ("", "none", "off") else value

    @model_validator(mode="after")
    def together(self) -> Settings:
        if self.cache and self.graphs:
            raise ValueError("a cache decides at each step what to run, which no graph can do")
        if self.autotune and not self.compile:
            raise ValueError("autotune says how to compile, so compile must be set with it")
        if self.quantize and self.storage:
            raise ValueError("quantize and storage both say how weights are kept; choose one")
        if self.graphs and (self.offload or self.storage):
            raise ValueError("a graph needs weights that stay as they are; leave graphs out")
        return self

    @property
    def chosen(self) -> dict[str, Any]:
        """What differs from the default, as it is stored."""
        return self.model_dump(exclude_defaults=True)


def settings_of(values: Mapping[str, Any], model: str) -> Settings:
    """The typed settings, or InvalidSettings with one sentence."""
    from omnifex.field_errors import sentence

    try:
        return Settings.model_validate(dict(values))
    except ValidationError as error:
        raise InvalidSettings(sentence(error, Settings, f"model {model!r}")) from error


def tuned(model: Model) -> Model:
    """The model with its parts set: components of their own, with other bits and costs.

    Two models may share a backbone's files and differ in settings; so may jobs of one model.
    """
    if not model.settings:
        return model
    parts = {
        role: with_settings(part, concerning(part, model.settings))
        for role, part in model.components.items()
    }
    return replace(model, components=parts)


def concerning(component: Component, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the settings that are about such a component."""
    return {
        name: value
        for name, value in settings.items()
        if component.kind == ("autoencoder" if name in OF_AUTOENCODERS else "backbone")
    }


def with_settings(component: Component, settings: Mapping[str, Any]) -> Component:
    if not settings:
        return component
    said = ",".join(f"{name}={value}" for name, value in sorted(settings.items()))
    return replace(component, id=f"{component.id}+{said}", settings=settings)


def keeps_state(component: Component) -> bool:
    """Whether its calls depend on the job's earlier ones: never joined, remembered or replayed."""
    return "cache" in component.settings
