"""What is asked of a clip, and the files that carry it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from omnifex import File, MediaInput, Modality
from omnifex.request import MAX_PROMPT, CheckpointRequest

if TYPE_CHECKING:
    import numpy as np


class VideoRequest(CheckpointRequest):
    """A clip from a prompt, or from a picture and a prompt."""

    prompt: str = Field(default="", max_length=MAX_PROMPT, description="What to make, in words.")

    width: int | None = Field(
        default=None, ge=16, le=4096, description="Pixels across; the model's own if not given."
    )
    height: int | None = Field(
        default=None, ge=16, le=4096, description="Pixels down; the model's own if not given."
    )
    frames: int | None = Field(
        default=None, ge=1, le=4096, description="How many frames; the model's own if not given."
    )
    fps: int | None = Field(
        default=None,
        ge=1,
        le=120,
        description="Frames shown in a second; the model's own if not given.",
    )
    image: Annotated[str, MediaInput("image")] | None = Field(
        default=None, description="A picture that the clip starts from."
    )
    video: Annotated[str, MediaInput("video")] | None = Field(
        default=None, description="A clip to start from; its frames are counted, not `frames`."
    )
    strength: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="How far to leave the clip started from; the model's own if not given.",
    )
    format: Literal["mp4", "webm", "gif"] = Field(default="mp4", description="File format.")


@dataclass(frozen=True)
class Sounding:
    """Frames (T, H, W, 3) and the sound that goes with them: (channels, N) float32 in [-1, 1]."""

    frames: np.ndarray
    sound: np.ndarray
    rate: int
    apart: bool = False  # whether the sound is a work of its own, and a file of its own


class VideoModality(Modality[VideoRequest]):
    name = "video"
    title = "Video"
    Request = VideoRequest
    formats = {"mp4": "video/mp4", "webm": "video/webm", "gif": "image/gif"}
    default_format = "mp4"
    default_model = "prism"
    example_prompt = "a large yellow star growing on a navy background"

    def check_input(self, file: Path) -> None:
        from omnifex_video import files

        files.decode(file.read_bytes())

    def read_provenance(self, file: Path) -> Mapping[str, Any] | None:
        from omnifex_video.files import read_provenance

        return read_provenance(file.read_bytes())

    def read_tags(self, file: Path) -> Mapping[str, str]:
        from omnifex_video.files import read_tags

        return read_tags(file.read_bytes())

    def encode(
        self, media: Any, request: VideoRequest, provenance: Mapping[str, Any]
    ) -> list[File]:
        """media: frames (T, H, W, 3) uint8, or floats in [0, 1]; or Sounding.

        MP4 and WebM carry the sound as well; beside a GIF, which cannot, it is a file of its own,
        and so it is where the media say so.
        """
        from omnifex_video import files, soundtrack

        fps = request.fps or 12
        sounding = media if isinstance(media, Sounding) else None
        frames = files.bytes_of(sounding.frames if sounding else media)
        track = soundtrack.Track(sounding.sound, sounding.rate) if sounding else None
        data = files.encode(frames, fps, request.format, provenance, track)
        count, height, width = frames.shape[:3]
        meta = {"frames": count, "width": width, "height": height, "fps": fps}
        clip = File(data, self.formats[request.format], f".{request.format}", meta=meta)
        alone = sounding is not None and (sounding.apart or request.format == "gif")
        if track is None or not alone:
            return [clip]
        return [clip, File(soundtrack.wav(track, provenance), "audio/wav", ".wav")]
