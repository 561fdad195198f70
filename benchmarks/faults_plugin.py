"""Specks: the cheapest jobs there are, and some that take their process with them."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import Field

import omnifex
from benchmarks.faults_wrong_clock import set_clock
from omnifex.home import Home, open_home
from omnifex.plugins import PluginHost
from omnifex_registry import allow_library

allow_library("omnifex.toy")
PULSE = "pulse "  # a prompt that begins so names a file to be touched at each step
FOLDER = Path(tempfile.gettempdir()) / "omnifex-faults-toy"


class SpeckRequest(omnifex.Request):
    pace: float = Field(default=0.0, ge=0, le=1, description="Seconds before each step.")


class Speck(omnifex.Modality[SpeckRequest]):
    name, title, default_model = "speck", "Speck", "specks"
    Request = SpeckRequest
    formats: Mapping[str, str] = {"json": "application/json"}
    default_format = "json"

    def encode(
        self, media: Any, request: SpeckRequest, provenance: Mapping[str, Any]
    ) -> list[omnifex.File]:
        data = json.dumps({"speck": media.tolist(), **provenance}, sort_keys=True).encode()
        return [omnifex.File(data, "application/json", ".json")]


class SpeckFamily(omnifex.LatentFamily[SpeckRequest]):
    name = modality = "speck"

    def recognises(self, model: Any) -> bool:
        return bool(model.class_name == "ToyPipeline")

    def shape(self, request: SpeckRequest, model: Any) -> tuple[int, ...]:
        return (4,)

    def condition(self, job: Any, request: SpeckRequest, model: Any) -> omnifex.Condition:
        if request.prompt == "poison":
            os._exit(139)
        if request.prompt == "hang":
            time.sleep(3600)
        return omnifex.Condition({"target": job.randn((1, 4))})

    def generate(self, job: Any, request: SpeckRequest, model: Any) -> Any:
        for step in range(1, request.steps + 1 if request.pace else 1):
            time.sleep(request.pace)
            job.step(step, request.steps)
            if request.prompt.startswith(PULSE):  # seen from outside: it is at work
                Path(request.prompt.removeprefix(PULSE)).touch()
        return super().generate(job, request, model)

    def decode(self, job: Any, latents: Any, request: SpeckRequest, model: Any) -> Any:
        return latents[0]


@omnifex.hookimpl
def register_modalities() -> list[omnifex.Modality[Any]]:
    return [Speck()]


@omnifex.hookimpl
def register_families() -> list[omnifex.Family[Any]]:
    return [SpeckFamily()]


@omnifex.hookimpl
def register_models() -> list[omnifex.BuiltinModel]:
    return [omnifex.BuiltinModel("specks", model())]


@cache
def model() -> Path:
    """One folder for all processes, so that all of them register the same model."""
    if not (FOLDER / "model_index.json").exists():
        from omnifex.toy import write_toy_model

        draft = Path(tempfile.mkdtemp()) / "toy"
        write_toy_model(draft)
        with suppress(OSError):  # another process was faster
            draft.rename(FOLDER)
    return FOLDER


def open_speck_home(address: str, artifacts: str | None = None, clock: str = "") -> Home:
    """A home with this plugin alone, as every process of the faults opens it."""
    import benchmarks.faults_plugin as plugin

    if clock:
        set_clock(clock)
    return open_home(address, PluginHost([plugin], entry_points=False), artifacts)
