"""Sounds as files: WAV, FLAC and Opus, each carrying its provenance in the `comment` field.

That is RIFF LIST/INFO ICMT in WAV (which the standard library's `wave` skips) and a Vorbis comment
in FLAC and Opus. No `description` beside it: FFmpeg reads the two as one text.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import av
import numpy as np

from omnifex import provenance as record
from omnifex.errors import UnreadableInput

OPUS_RATE = 48_000
MAX_SAMPLES = 200_000_000
"""Over all channels; more is refused rather than unpacked."""


class UnreadableAudio(UnreadableInput):
    """The bytes are no sound, a broken one, or one too long to open."""

    code = "unreadable_audio"


@dataclass(frozen=True)
class Sound:
    """Decoded samples, (channels, N) float32 in [-1, 1], and how many there are in a second."""

    samples: np.ndarray
    sample_rate: int


@dataclass(frozen=True)
class _Codec:
    name: str
    container: str
    sample_format: str
    bit_rate_per_channel: int | None = None


_CODECS = {
    "wav": _Codec("pcm_s16le", "wav", "s16"),
    "flac": _Codec("flac", "flac", "s16"),
    "opus": _Codec("libopus", "ogg", "flt", bit_rate_per_channel=96_000),
}
_LAYOUTS = {1: "mono", 2: "stereo"}


def encode(
    samples: np.ndarray, sample_rate: int, extension: str, provenance: Mapping[str, Any]
) -> bytes:
    """(1 or 2, N) float32 in [-1, 1] to a wav, flac or opus file, 16 bits; louder is clipped.

    Opus knows no rate above 48 kHz and plays all at that one, so it is resampled to it. The same
    input gives the same bytes.
    """
    codec = _CODECS[extension]
    if extension == "opus" and sample_rate != OPUS_RATE:
        samples, sample_rate = resampled(samples, sample_rate, OPUS_RATE), OPUS_RATE
    file = io.BytesIO()
    # bitexact: without it Ogg's stream serial number is random.
    with av.open(file, "w", format=codec.container, options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream(codec.name, rate=sample_rate, layout=_LAYOUTS[len(samples)])
        stream.format = codec.sample_format
        if codec.bit_rate_per_channel:
            stream.bit_rate = codec.bit_rate_per_channel * len(samples)
        tagged = stream if codec.container == "ogg" else container
        tagged.metadata.update(_tags(provenance))
        for frame in _frames(samples, sample_rate, codec, stream):
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file.getvalue()


def decode(data: bytes) -> Sound:
    """Any file that FFmpeg opens; of several streams the first."""
    try:
        return _decode(data)
    except (av.FFmpegError, ValueError, IndexError) as error:
        raise _unreadable(data, error) from error


def read_provenance(data: bytes) -> dict[str, Any] | None:
    """What `encode` was given; None in a sound made elsewhere."""
    try:
        with _opened(data) as container:
            tags = {**container.metadata, **container.streams.audio[0].metadata}
    except (av.FFmpegError, IndexError) as error:
        raise _unreadable(data, error) from error
    return record.from_json({name.lower(): text for name, text in tags.items()}.get("comment"))


def read_tags(data: bytes) -> dict[str, str]:
    """All texts in the file's metadata, whoever wrote them."""
    try:
        with _opened(data) as container:
            tags = dict(container.metadata)
            for stream in container.streams:
                tags |= stream.metadata
            return tags
    except (av.FFmpegError, ValueError) as error:
        raise _unreadable(data, error) from error


def _opened(data: bytes) -> av.container.InputContainer:
    """Old files have tags in other encodings than UTF-8, which is no reason to refuse them."""
    return av.open(io.BytesIO(data), metadata_errors="replace")


def _tags(provenance: Mapping[str, Any]) -> dict[str, str]:
    return {
        "title": record.title(provenance),
        "artist": record.software(provenance),
        "comment": record.to_json(provenance),
    }


def _frames(
    samples: np.ndarray, sample_rate: int, codec: _Codec, stream: av.AudioStream
) -> Iterator[av.AudioFrame]:
    """The codec names its own frame length once it is open; PCM takes any."""
    stream.codec_context.open()
    length = stream.codec_context.frame_size or 4096
    packed = _packed(samples, codec.sample_format)
    for start in range(0, samples.shape[1], length):
        piece = np.ascontiguousarray(packed[start : start + length]).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(piece, codec.sample_format, _LAYOUTS[len(samples)])
        frame.sample_rate, frame.pts = sample_rate, start
        yield frame


def _packed(samples: np.ndarray, sample_format: str) -> np.ndarray:
    """(channels, N) to (N, channels) in the encoder's number format; 32768 as FFmpeg reads it."""
    clipped: np.ndarray = np.clip(samples.T, -1.0, 1.0).astype(np.float32)
    if sample_format == "flt":
        return clipped
    integers: np.ndarray = np.clip(np.rint(clipped * 32768), -32768, 32767).astype(np.int16)
    return integers


def resampled(samples: np.ndarray, rate: int, target: int) -> np.ndarray:
    """(channels, N) at another rate."""
    import torch
    from torchaudio.functional import resample

    waves = torch.from_numpy(np.ascontiguousarray(samples, dtype=np.float32))
    return np.asarray(resample(waves, rate, target).numpy())


def _decode(data: bytes) -> Sound:
    pieces: list[np.ndarray] = []
    count = 0
    with _opened(data) as container:
        stream = container.streams.audio[0]
        planar = av.AudioResampler(format="fltp")
        for frame in container.decode(stream):
            pieces += [piece.to_ndarray() for piece in planar.resample(frame)]
            count += frame.samples * stream.channels
            _check_length(count)
        rate = stream.rate
    if not pieces:
        raise ValueError("it has no samples")
    return Sound(np.concatenate(pieces, axis=1).astype(np.float32), int(rate))


def _check_length(count: int) -> None:
    if count > MAX_SAMPLES:
        raise UnreadableAudio(f"the sound has more than {MAX_SAMPLES:,} samples; shorten it.")


def _unreadable(data: bytes, error: Exception) -> UnreadableAudio:
    if not data:
        return UnreadableAudio("the audio file is empty (0 bytes); give a WAV, FLAC or Opus file.")
    return UnreadableAudio(
        f"the file of {len(data):,} bytes that starts with {data[:12]!r} cannot be read as sound"
        f" ({str(error) or type(error).__name__}); give a whole WAV, FLAC or Opus file."
    )
