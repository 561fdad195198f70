"""Clips as files: H.264 MP4, VP9 WebM and GIF, each carrying its provenance, and its sound.

MP4 and WebM keep it in their `comment` tag, GIF in its comment block. MP4 is written with the
common iTunes-style tags and not with FFmpeg's `use_metadata_tags`: it is either the one or the
other, and players, file browsers and tag editors show only the first.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import av
import numpy as np
from PIL import Image

from omnifex import provenance as record
from omnifex.errors import UnreadableInput
from omnifex_video import soundtrack

MAX_BYTES = 2 << 30
"""Of decoded frames: a clip beyond this is refused rather than unpacked."""
GIF_MAX_FPS = Fraction(50)


class UnreadableVideo(UnreadableInput):
    """The bytes are no clip, a broken one, or one too large to open."""

    code = "unreadable_video"


@dataclass(frozen=True)
class Clip:
    """Decoded frames, (T, H, W, 3) uint8, and how many are shown in a second."""

    frames: np.ndarray
    fps: Fraction


@dataclass(frozen=True)
class _Codec:
    name: str
    options: Mapping[str, str]
    container: Mapping[str, str]


_CODECS = {
    # One thread, because the bytes depend on their number. No assembler: x264's AVX-512 code, as
    # built into av 18.1, gives other bytes in one run of fifty for one and the same 96×96 clip.
    "mp4": _Codec(
        "libx264",
        {"crf": "16", "preset": "medium", "threads": "1", "x264-params": "no-asm=1"},
        {"movflags": "faststart", "fflags": "+bitexact"},
    ),
    "webm": _Codec(
        "libvpx-vp9",
        {"crf": "20", "b": "0", "threads": "1", "cpu-used": "2"},
        {"fflags": "+bitexact"},
    ),
}
_BT709 = 1  # the same number names its matrix, primaries and transfer (ITU-T H.273)
_LIMITED_RANGE = 1


def encode(
    frames: np.ndarray,
    fps: float | Fraction,
    extension: str,
    provenance: Mapping[str, Any],
    track: soundtrack.Track | None = None,
) -> bytes:
    """(T, H, W, 3) uint8 to an mp4, webm or gif file; the same input gives the same bytes.

    `track` is its sound, as AAC in MP4 and Opus in WebM; a GIF has none.

    The chroma of MP4 and WebM is half as fine (yuv420p, which everything plays), so an odd width
    or height grows by one repeated column or row.
    """
    if extension == "gif":
        return _encode_gif(frames, Fraction(fps), provenance)
    codec = _CODECS[extension]
    file = io.BytesIO()
    container = av.open(
        file,
        "w",
        format=extension,
        options=dict(codec.container),
        # faststart reads back what it wrote, to move the index before it.
        io_open=lambda *_: io.BytesIO(file.getvalue()),
    )
    with container:
        container.metadata.update(_tags(provenance))
        sound = soundtrack.opened(container, track) if track else None
        _write(container, codec, _even(frames), Fraction(fps).limit_denominator(1001))
        if track and sound:
            soundtrack.write(container, sound, track)
    return file.getvalue()


def bytes_of(frames: np.ndarray) -> np.ndarray:
    """(T, H, W, 3), uint8 or floats in [0, 1], as uint8."""
    if frames.dtype == np.uint8:
        return frames
    whole: np.ndarray = np.rint(np.clip(frames, 0, 1) * 255).astype(np.uint8)
    return whole


def decode(data: bytes) -> Clip:
    """Any file that FFmpeg or Pillow opens; sound is left out."""
    try:
        return _decode_gif(data) if _is_gif(data) else _decode_video(data)
    except (av.FFmpegError, OSError, ValueError, EOFError, IndexError) as error:
        raise _unreadable(data, error) from error


def read_provenance(data: bytes) -> dict[str, Any] | None:
    """What `encode` was given; None in a clip made elsewhere."""
    try:
        if _is_gif(data):
            with Image.open(io.BytesIO(data)) as picture:
                return record.from_json(picture.info.get("comment"))
        with _opened(data) as container:
            tags = {name.lower(): text for name, text in container.metadata.items()}
            return record.from_json(tags.get("comment"))
    except (av.FFmpegError, OSError, ValueError, EOFError) as error:
        raise _unreadable(data, error) from error


def read_tags(data: bytes) -> dict[str, str]:
    """All texts in the file's metadata, whoever wrote them."""
    try:
        if _is_gif(data):
            with Image.open(io.BytesIO(data)) as picture:
                comment = picture.info.get("comment", b"")
            return {"comment": comment.decode("utf-8", "replace")} if comment else {}
        with _opened(data) as container:
            tags = dict(container.metadata)
            for stream in container.streams:
                tags |= stream.metadata
            return tags
    except (av.FFmpegError, OSError, ValueError, EOFError) as error:
        raise _unreadable(data, error) from error


def contact_sheet(frames: np.ndarray, columns: int, gap: int = 4) -> np.ndarray:
    """All frames of (T, H, W, 3) on one page, (H', W', 3), row by row, with white between them."""
    count, height, width, _ = frames.shape
    rows = math.ceil(count / columns)
    page = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, 3), 255, np.uint8)
    for index, frame in enumerate(frames):
        top = gap + index // columns * (height + gap)
        left = gap + index % columns * (width + gap)
        page[top : top + height, left : left + width] = frame
    return page


def _opened(data: bytes) -> av.container.InputContainer:
    """Old files have tags in other encodings than UTF-8, which is no reason to refuse them."""
    return av.open(io.BytesIO(data), metadata_errors="replace")


def _tags(provenance: Mapping[str, Any]) -> dict[str, str]:
    return {
        "title": record.title(provenance),
        "artist": record.software(provenance),
        "comment": record.to_json(provenance),
    }


def _write(
    container: av.container.OutputContainer, codec: _Codec, frames: np.ndarray, fps: Fraction
) -> None:
    stream = container.add_stream(codec.name, rate=fps, options=dict(codec.options))
    stream.height, stream.width = frames.shape[1:3]
    stream.pix_fmt = "yuv420p"
    # Told to the player: otherwise it guesses the colours from the size of the picture.
    context = stream.codec_context
    context.colorspace = context.color_primaries = context.color_trc = _BT709
    context.color_range = _LIMITED_RANGE
    for index, pixels in enumerate(frames):
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
        frame.pts, frame.time_base = index, 1 / fps
        container.mux(stream.encode(frame))
    container.mux(stream.encode())


def _even(frames: np.ndarray) -> np.ndarray:
    height, width = frames.shape[1:3]
    return np.pad(frames, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def _decode_video(data: bytes) -> Clip:
    frames = []
    with _opened(data) as container:
        stream = container.streams.video[0]
        for frame in container.decode(stream):
            frames.append(frame.to_ndarray(format="rgb24"))
            _check_size(len(frames), frame.height, frame.width)
        fps = stream.average_rate or stream.guessed_rate or Fraction(25)
    if not frames:
        raise ValueError("it has no frames")
    return Clip(np.stack(frames), Fraction(fps))


def _encode_gif(frames: np.ndarray, fps: Fraction, provenance: Mapping[str, Any]) -> bytes:
    """One palette for the whole clip, so that still parts do not flicker."""
    count, height, width, _ = frames.shape
    strip = Image.fromarray(frames.reshape(count * height, width, 3))
    palette = strip.quantize(256, Image.Quantize.MEDIANCUT, kmeans=1)
    pictures = [Image.fromarray(frame).quantize(palette=palette) for frame in frames]
    # GIF counts 1/100 s, and players take 0 and 1 of them for 10: 50 frames a second are the most.
    ends = [round(100 * index / min(fps, GIF_MAX_FPS)) for index in range(count + 1)]
    file = io.BytesIO()
    pictures[0].save(
        file,
        format="GIF",
        save_all=True,
        append_images=pictures[1:],
        duration=[10 * (end - start) for start, end in pairwise(ends)],
        loop=0,
        comment=record.to_json(provenance).encode(),
    )
    return file.getvalue()


def _decode_gif(data: bytes) -> Clip:
    """Frames that the writer joined because nothing moved are told by their length and repeated."""
    with Image.open(io.BytesIO(data)) as picture:
        shown = list(_gif_frames(picture))
    shortest = min(duration for _, duration in shown)
    repeats = [round(duration / shortest) for _, duration in shown]
    _check_size(sum(repeats), *shown[0][0].shape[:2])
    frames = np.repeat(np.stack([pixels for pixels, _ in shown]), repeats, axis=0)
    total = sum(duration for _, duration in shown)
    return Clip(frames, Fraction(1000 * len(frames), total).limit_denominator(100))


def _gif_frames(picture: Image.Image) -> Iterator[tuple[np.ndarray, int]]:
    """Each frame with its duration in ms; a player shows 0 as 100."""
    for index in range(getattr(picture, "n_frames", 1)):
        _check_size(index + 1, picture.height, picture.width)
        picture.seek(index)
        yield np.array(picture.convert("RGB")), picture.info.get("duration") or 100


def _is_gif(data: bytes) -> bool:
    return data[:4] == b"GIF8"


def _check_size(count: int, height: int, width: int) -> None:
    if 3 * count * height * width > MAX_BYTES:
        raise UnreadableVideo(
            f"the clip of {width}×{height} pixels unpacks to more than {MAX_BYTES >> 30} GiB of"
            " frames; shorten it or scale it down."
        )


def _unreadable(data: bytes, error: Exception) -> UnreadableVideo:
    if not data:
        return UnreadableVideo("the video file is empty (0 bytes); give an MP4, WebM or GIF file.")
    return UnreadableVideo(
        f"the file of {len(data):,} bytes that starts with {data[:12]!r} cannot be read as video"
        f" ({str(error) or type(error).__name__}); give a whole MP4, WebM or GIF file."
    )
