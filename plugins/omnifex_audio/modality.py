"""What is asked of a sound, and the files that carry it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from omnifex import File, MediaInput, Modality
from omnifex.request import CheckpointRequest

if TYPE_CHECKING:
    import numpy as np


class AudioRequest(CheckpointRequest):
    """A sound from a prompt, or from another sound and a prompt."""

    seconds: float | None = Field(
        default=None, gt=0, le=600, description="How long; the model's own if not given."
    )
    lyrics: str | None = Field(
        default=None, max_length=20_000, description="What is sung, by models that sing."
    )
    audio: Annotated[str, MediaInput("audio")] | None = Field(
        default=None, description="A sound to start from."
    )
    format: Literal["wav", "flac", "opus"] = Field(default="wav", description="File format.")


@dataclass(frozen=True)
class Wave:
    """Samples (channels, N) float32 in [-1, 1], and how many there are in a second."""

    samples: np.ndarray
    rate: int


class AudioModality(Modality[AudioRequest]):
    name = "audio"
    title = "Audio"
    Request = AudioRequest
    formats = {"wav": "audio/wav", "flac": "audio/flac", "opus": "audio/ogg"}
    default_format = "wav"
    default_model = "prism"
    example_prompt = "a rising major arpeggio of triangle notes from C4"

    def read_provenance(self, file: Path) -> Mapping[str, Any] | None:
        from omnifex_audio.files import read_provenance

        return read_provenance(file.read_bytes())

    def read_tags(self, file: Path) -> Mapping[str, str]:
        from omnifex_audio.files import read_tags

        return read_tags(file.read_bytes())

    def check_input(self, file: Path) -> None:
        from omnifex_audio import files

        files.decode(file.read_bytes())

    def encode(
        self, media: Any, request: AudioRequest, provenance: Mapping[str, Any]
    ) -> list[File]:
        """media: a Wave."""
        from omnifex_audio import files

        data = files.encode(media.samples, media.rate, request.format, provenance)
        channels, length = media.samples.shape
        meta = {"seconds": length / media.rate, "sample_rate": media.rate, "channels": channels}
        return [File(data, self.formats[request.format], f".{request.format}", meta=meta)]
