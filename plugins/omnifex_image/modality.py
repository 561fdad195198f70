"""What is asked of a picture, and the files that carry it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from omnifex import File, MediaInput, Modality
from omnifex.request import MAX_PROMPT, CheckpointRequest
from omnifex_image.control.item import Control, ImagePrompt

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Made:
    """A picture and words that go with it; either may be missing."""

    pixels: np.ndarray | None = None
    text: str | None = None


class ImageRequest(CheckpointRequest):
    """A picture from a prompt, or from another picture and a prompt."""

    prompt: str = Field(default="", max_length=MAX_PROMPT, description="What to make, in words.")

    width: int | None = Field(
        default=None, ge=16, le=8192, description="Pixels across; the model's own if not given."
    )
    height: int | None = Field(
        default=None, ge=16, le=8192, description="Pixels down; the model's own if not given."
    )
    image: Annotated[str, MediaInput("image")] | None = Field(
        default=None, description="A picture to start from."
    )
    mask: Annotated[str, MediaInput("image")] | None = Field(
        default=None, description="Where to paint the picture anew: white; black is kept."
    )
    strength: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="How far to leave the picture started from; the model's own if not given.",
    )
    control: list[Control] = Field(
        default=[], max_length=8, description=f"Pictures to keep to: {Control.form}, or JSON."
    )
    image_prompt: list[ImagePrompt] = Field(
        default=[],
        max_length=4,
        description=f"Pictures to be told by as by words: {ImagePrompt.form}, or JSON.",
    )
    format: Literal["png", "webp", "jpg"] = Field(default="png", description="File format.")


class ImageModality(Modality[ImageRequest]):
    name = "image"
    title = "Image"
    Request = ImageRequest
    formats = {"png": "image/png", "webp": "image/webp", "jpg": "image/jpeg"}
    default_format = "png"
    default_model = "prism"
    example_prompt = "a small red star left of a large blue ring on a white background"

    def check_input(self, file: Path) -> None:
        from omnifex_image import files

        files.decode(file.read_bytes())

    def read_provenance(self, file: Path) -> Mapping[str, Any] | None:
        from omnifex_image.files import read_provenance

        return read_provenance(file.read_bytes())

    def read_tags(self, file: Path) -> Mapping[str, str]:
        from omnifex_image.tags import read_tags

        return read_tags(file.read_bytes())

    def encode(
        self, media: Any, request: ImageRequest, provenance: Mapping[str, Any]
    ) -> list[File]:
        """media: pixels (H, W, 3) uint8, or floats in [0, 1]; or Made."""
        made = media if isinstance(media, Made) else Made(pixels=media)
        words = [] if made.text is None else [File(made.text.encode(), "text/plain", ".txt")]
        if made.pixels is None:
            return words
        return [self.picture(made.pixels, request.format, provenance), *words]

    def picture(self, pixels: np.ndarray, suffix: str, provenance: Mapping[str, Any]) -> File:
        from omnifex_image import files

        data = files.encode(files.bytes_of(pixels), suffix, provenance)
        height, width = pixels.shape[:2]
        meta = {"width": width, "height": height}
        return File(data, self.formats[suffix], f".{suffix}", meta=meta)
