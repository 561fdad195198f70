"""Clips: PyAV and Pillow read what is written, with its provenance; broken files are refused."""

from __future__ import annotations

import io
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from omnifex_video import files
from omnifex_video.files import UnreadableVideo, contact_sheet, decode, encode, read_provenance

PROVENANCE = {
    "prompt": "a red square; moves = right ★",
    "seed": 7,
    "model": "prism",
    "modality": "video",
    "parameters": {"frames": 12, "fps": 8},
    "omnifex": "0.1.0",
}
EXTENSIONS = ("mp4", "webm", "gif")


def moving_square(height: int = 64, width: int = 96, count: int = 12) -> np.ndarray:
    frames = np.full((count, height, width, 3), (20, 30, 110), np.uint8)
    for index, frame in enumerate(frames):
        frame[20:44, 8 + 4 * index : 32 + 4 * index] = (230, 40, 30)
    return frames


@pytest.mark.parametrize(("extension", "codec"), [("mp4", "h264"), ("webm", "vp9"), ("gif", "gif")])
def test_another_program_reads_the_clip(extension: str, codec: str) -> None:
    data = encode(moving_square(), 8, extension, PROVENANCE)
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.video[0]
        frames = np.stack([f.to_ndarray(format="rgb24") for f in container.decode(stream)])
        assert stream.codec_context.name in (codec, f"lib{codec}", "libvpx-vp9")
        assert float(stream.average_rate) == pytest.approx(8, rel=0.05)  # GIF counts 1/100 s
    assert frames.shape == (12, 64, 96, 3)
    assert np.abs(frames.astype(int) - moving_square()).mean() < 3


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_decode_gives_frames_rate_and_provenance_back(extension: str) -> None:
    data = encode(moving_square(), 8, extension, PROVENANCE)
    clip = decode(data)
    assert clip.fps == 8
    assert np.abs(clip.frames.astype(int) - moving_square()).mean() < 3
    assert read_provenance(data) == PROVENANCE


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_the_same_clip_gives_the_same_bytes(extension: str) -> None:
    # x264 with its AVX-512 code differs in about one run of fifty on clips of this size.
    clips = {encode(moving_square(96, 96, 24), 8, extension, PROVENANCE) for _ in range(12)}
    assert len(clips) == 1


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_flat_colours_survive(extension: str) -> None:
    middle = decode(encode(moving_square(), 8, extension, PROVENANCE)).frames[6]
    assert np.abs(middle[5, 5].astype(int) - (20, 30, 110)).max() <= 4
    assert np.abs(middle[32, 44].astype(int) - (230, 40, 30)).max() <= 4


def test_mp4_plays_while_it_loads_and_says_its_colours() -> None:
    data = encode(moving_square(), 8, "mp4", PROVENANCE)
    assert data.find(b"moov") < data.find(b"mdat")
    with av.open(io.BytesIO(data)) as container:
        context = container.streams.video[0].codec_context
        assert context.pix_fmt == "yuv420p"
        assert (int(context.colorspace), int(context.color_range)) == (1, 1)
        assert container.metadata["title"] == PROVENANCE["prompt"]
        assert container.metadata["artist"] == "omnifex 0.1.0"


def test_a_gif_says_it_to_any_reader_and_repeats_forever() -> None:
    with Image.open(io.BytesIO(encode(moving_square(), 8, "gif", PROVENANCE))) as picture:
        assert picture.info["comment"].startswith(b'{"modality":"video"')
        assert picture.info["loop"] == 0
        assert picture.n_frames == 12


@pytest.mark.parametrize("extension", ["mp4", "webm"])
def test_odd_sizes_grow_to_even_ones(extension: str) -> None:
    frames = decode(encode(moving_square(63, 95), 8, extension, PROVENANCE)).frames
    assert frames.shape == (12, 64, 96, 3)
    assert np.abs(frames[:, :63, :95].astype(int) - moving_square(63, 95)).mean() < 3


def test_a_gif_keeps_odd_sizes() -> None:
    assert decode(encode(moving_square(63, 95), 8, "gif", PROVENANCE)).frames.shape[1:3] == (63, 95)


def test_a_pause_in_a_gif_is_as_many_frames_as_it_was() -> None:
    frames = moving_square()
    frames[4:8] = frames[4]
    clip = decode(encode(frames, 12, "gif", PROVENANCE))
    assert clip.frames.shape == frames.shape
    assert clip.fps == 12


def test_a_gif_is_never_so_fast_that_players_slow_it_down() -> None:
    with Image.open(io.BytesIO(encode(moving_square(), 120, "gif", PROVENANCE))) as picture:
        durations = []
        for index in range(picture.n_frames):
            picture.seek(index)
            durations.append(picture.info["duration"])
    assert durations == [20] * 12


@pytest.mark.parametrize("extension", ["mp4", "webm"])
def test_a_broken_rate_is_kept(extension: str) -> None:
    data = encode(moving_square(), Fraction(30_000, 1001), extension, PROVENANCE)
    assert float(decode(data).fps) == pytest.approx(29.97, rel=2e-3)


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_a_prompt_of_many_pages_survives(extension: str) -> None:
    long = {**PROVENANCE, "prompt": "très " * 20_000}
    assert read_provenance(encode(moving_square(), 8, extension, long)) == long


def test_a_clip_made_elsewhere_has_no_provenance() -> None:
    file = io.BytesIO()
    Image.fromarray(moving_square()[0]).save(file, "GIF", comment=b"made by hand")
    assert read_provenance(file.getvalue()) is None
    assert decode(file.getvalue()).frames.shape == (1, 64, 96, 3)


@pytest.mark.parametrize("read", [decode, read_provenance])
@pytest.mark.parametrize("data", [b"", b"Dear Omnifex", b"GIF89a", b"GIF89a and then words"])
def test_what_is_no_clip_is_refused_in_one_sentence(read: object, data: bytes) -> None:
    with pytest.raises(UnreadableVideo, match=r"give a.* MP4, WebM or GIF file\.$") as caught:
        read(data)  # type: ignore[operator]
    assert caught.value.code == "unreadable_video"


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_a_clip_cut_off_early_is_refused(extension: str) -> None:
    with pytest.raises(UnreadableVideo):
        decode(encode(moving_square(), 8, extension, PROVENANCE)[:200])


def test_sound_alone_is_no_clip() -> None:
    file = io.BytesIO()
    with av.open(file, "w", format="wav") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(UnreadableVideo):
        decode(file.getvalue())


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_a_clip_that_unpacks_to_too_much_is_refused(
    extension: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = encode(moving_square(), 8, extension, PROVENANCE)
    monkeypatch.setattr(files, "MAX_BYTES", 100_000)
    with pytest.raises(UnreadableVideo, match=r"shorten it or scale it down"):
        decode(data)


def test_a_contact_sheet_shows_every_frame_in_reading_order() -> None:
    frames = np.arange(5, dtype=np.uint8)[:, None, None, None] * np.ones((1, 6, 8, 3), np.uint8)
    page = contact_sheet(frames, columns=3, gap=2)
    assert page.shape == (2 * 8 + 2, 3 * 10 + 2, 3)
    shown = [page[2 + row * 8, 2 + column * 10, 0] for row in range(2) for column in range(3)]
    assert shown == [0, 1, 2, 3, 4, 255]
