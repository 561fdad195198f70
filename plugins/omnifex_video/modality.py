"""What is asked of a clip, and the files that carry it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from omnifex import File, Modality, Request


class VideoRequest(Request):
    """A clip from a prompt."""

    width: int | None = Field(
        default=None, ge=16, le=4096, description="Pixels across; the model's own if not given."
    )
    height: int | None = Field(
        default=None, ge=16, le=4096, description="Pixels down; the model's own if not given."
    )
    frames: int | None = Field(
        default=None, ge=1, le=4096, description="How many frames; the model's own if not given."
    )
    fps: int = Field(default=12, ge=1, le=120, description="Frames shown in a second.")
    format: Literal["mp4", "webm", "gif"] = Field(default="mp4", description="File format.")


class VideoModality(Modality[VideoRequest]):
    name = "video"
    title = "Video"
    Request = VideoRequest
    formats = {"mp4": "video/mp4", "webm": "video/webm", "gif": "image/gif"}
    default_format = "mp4"
    default_model = "prism"
    example_prompt = "a large yellow star spinning on a navy background"

    def read_provenance(self, file: Path) -> Mapping[str, Any] | None:
        from omnifex_video.files import read_provenance

        return read_provenance(file.read_bytes())

    def read_tags(self, file: Path) -> Mapping[str, str]:
        from omnifex_video.files import read_tags

        return read_tags(file.read_bytes())

    def encode(
        self, media: Any, request: VideoRequest, provenance: Mapping[str, Any]
    ) -> list[File]:
        """media: frames (T, H, W, 3) uint8."""
        from omnifex_video import files

        data = files.encode(media, request.fps, request.format, provenance)
        count, height, width = media.shape[:3]
        meta = {"frames": count, "width": width, "height": height, "fps": request.fps}
        return [File(data, self.formats[request.format], f".{request.format}", meta=meta)]
