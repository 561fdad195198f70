"""The sound of a clip: a track beside its pictures, or a WAV beside a file that can have none."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import av
import numpy as np

from omnifex import provenance as record

CODECS = {"mp4": ("aac", "fltp", None), "webm": ("libopus", "flt", 48_000)}  # Opus has few rates
LAYOUTS = {1: "mono", 2: "stereo"}
BIT_RATE = 96_000  # a channel


@dataclass(frozen=True)
class Track:
    """Samples (1 or 2, N) float32 in [-1, 1], louder ones clipped; and how many in a second."""

    samples: np.ndarray
    rate: int


def opened(container: av.container.OutputContainer, track: Track) -> av.AudioStream:
    """A stream for the track; to be added before anything is written."""
    codec, sample_format, rate = CODECS[container.format.name]
    layout = LAYOUTS[len(track.samples)]
    stream = container.add_stream(codec, rate=rate or track.rate, layout=layout)
    stream.format = sample_format
    stream.bit_rate = BIT_RATE * len(track.samples)
    return stream


def write(container: av.container.OutputContainer, stream: av.AudioStream, track: Track) -> None:
    """All of the track, in the frames and at the rate that the encoder wants."""
    stream.codec_context.open(strict=False)
    frame = av.AudioFrame.from_ndarray(clipped(track), "fltp", LAYOUTS[len(track.samples)])
    frame.sample_rate, frame.pts = track.rate, 0
    resampler = av.AudioResampler(
        stream.format, stream.layout, stream.rate, stream.codec_context.frame_size or None
    )
    for piece in (*resampler.resample(frame), *resampler.resample(None)):
        container.mux(stream.encode(piece))
    container.mux(stream.encode())


def wav(track: Track, provenance: Mapping[str, Any]) -> bytes:
    """A WAV file of 16 bits, the provenance in its comment."""
    file = io.BytesIO()
    with av.open(file, "w", format="wav", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream(
            "pcm_s16le", rate=track.rate, layout=LAYOUTS[len(track.samples)]
        )
        container.metadata["comment"] = record.to_json(provenance)
        write(container, stream, track)
    return file.getvalue()


def clipped(track: Track) -> np.ndarray:
    """(channels, N) float32, as FFmpeg takes planes."""
    return np.ascontiguousarray(np.clip(track.samples, -1.0, 1.0), dtype=np.float32)
