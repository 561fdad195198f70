"""A whole small plugin that makes pictures, for the tests of studio, worker and command line.

It stands on the exact toy backbone, in a model folder of its own. `pace` makes it slow where a test
needs time, and the prompt `break …` makes it fail in the ways that plugins fail.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

import omnifex
from omnifex_registry import Model, allow_library

if TYPE_CHECKING:
    from torch import Tensor

    from omnifex.engine.context import JobContext
    from omnifex.engine.model import LoadedModel

MODEL = Path(__file__).with_name("tiles_model")
allow_library("omnifex.toy")


class TileRequest(omnifex.Request):
    size: int = Field(default=4, ge=1, le=64, description="Pixels on a side.")
    pace: float = Field(default=0.0, ge=0, le=0.1, description="Seconds that a step takes.")
    mirrored: bool = Field(default=False, description="Left becomes right.")
    format: Literal["png", "webp"] = Field(default="png", description="Kind of file.")
    image: Annotated[str, omnifex.MediaInput("tile")] | None = Field(
        default=None, description="A picture to begin with."
    )


class TileModality(omnifex.Modality[TileRequest]):
    name = "tile"
    title = "Tiles"
    Request = TileRequest
    formats: Mapping[str, str] = {"png": "image/png", "webp": "image/webp"}
    default_format = "png"
    default_model = "tiles"

    def check_input(self, file: Path) -> None:
        from PIL import Image

        try:
            with Image.open(file) as picture:
                picture.load()
        except OSError as error:
            raise omnifex.UnreadableInput(f"the picture is broken ({error}).") from error

    def encode(
        self, media: Any, request: TileRequest, provenance: Mapping[str, Any]
    ) -> list[omnifex.File]:
        from PIL import Image
        from PIL.PngImagePlugin import PngInfo

        if request.prompt == "break the encoder":
            raise OSError(28, "No space left on device")
        info = PngInfo()
        info.add_itxt("omnifex", json.dumps(provenance, sort_keys=True))
        file = io.BytesIO()
        Image.fromarray(media).save(file, request.format, pnginfo=info)
        kind = self.formats[request.format]
        preview = omnifex.File(b"preview", "text/plain", "txt", role="preview")
        return [omnifex.File(file.getvalue(), kind, f".{request.format}"), preview]


class TileFamily(omnifex.LatentFamily[TileRequest]):
    name = "tiles"
    modality = "tile"

    def recognises(self, model: Model) -> bool:
        return model.class_name == "TilesPipeline"

    def check(self, request: TileRequest, model: Model) -> list[str]:
        if request.prompt == "break the check":
            raise KeyError("colour")
        super().check(request, model)
        return ["the word 'blorp' is not known."] if "blorp" in request.prompt else []

    def shape(self, request: TileRequest, model: LoadedModel) -> tuple[int, ...]:
        return (3, request.size, request.size)

    def condition(
        self, job: JobContext, request: TileRequest, model: LoadedModel
    ) -> omnifex.Condition:
        if request.prompt == "break the memory":
            raise MemoryError("no room")
        if request.prompt == "break the family":
            raise RuntimeError("the family is broken")
        if request.prompt == "break the ears":  # hears nothing for longer than anybody waits
            time.sleep(120)
        job.note(f"{request.steps} steps")
        target = job.randn((1, 3, request.size, request.size)) + len(request.prompt)
        if request.image:
            target = target + job.input(request.image).stat().st_size
        return omnifex.Condition({"target": target})

    def generate(self, job: JobContext, request: TileRequest, model: LoadedModel) -> Any:
        if request.pace:
            job.stage("pacing", until=0.5)
            for step in range(1, request.steps + 1):
                time.sleep(request.pace)
                job.step(step, request.steps)
        return super().generate(job, request, model)

    def decode(
        self, job: JobContext, latents: Tensor, request: TileRequest, model: LoadedModel
    ) -> Any:
        import torch

        picture = (latents[0].permute(1, 2, 0) * 40).to(torch.int64) % 256  # (H, W, 3)
        return picture.to(torch.uint8).numpy()

    def preview(
        self, job: JobContext, latents: Tensor, request: TileRequest, model: LoadedModel
    ) -> Any:
        return self.decode(job, latents, request, model)


@omnifex.hookimpl
def register_modalities() -> list[omnifex.Modality[Any]]:
    return [TileModality()]


@omnifex.hookimpl
def register_families() -> list[omnifex.Family[Any]]:
    return [TileFamily()]


@omnifex.hookimpl
def register_models() -> list[omnifex.BuiltinModel]:
    return [omnifex.BuiltinModel("tiles", MODEL)]
