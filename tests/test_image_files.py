"""Pictures: Pillow reads what is written, with its provenance; broken files are refused."""

from __future__ import annotations

import io
import struct
import zlib
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from omnifex import provenance as record
from omnifex_image.files import MetadataTooLong, UnreadableImage, decode, encode, read_provenance

PROVENANCE = {
    "prompt": 'a <large> & "red" café ★ circle\non navy \x00',
    "seed": 7,
    "model": "prism",
    "modality": "image",
    "parameters": {"steps": 8, "guidance": 3.5, "sampler": None},
    "omnifex": "0.1.0",
}
EXTENSIONS = ("png", "webp", "jpg")


def circle(height: int = 64, width: int = 96) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    inside = (x - 40) ** 2 + (y - 30) ** 2 < 400
    return np.where(inside[..., None], [220, 40, 30], [20, 30, 110]).astype(np.uint8)


def png(size: tuple[int, int]) -> bytes:
    """A header that promises `size`, with no pixels after it."""
    chunks = (b"IHDR" + struct.pack(">2I5B", *size, 8, 2, 0, 0, 0), b"IDAT", b"IEND")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        for chunk in chunks
    )


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_another_program_reads_the_picture(extension: str) -> None:
    with Image.open(io.BytesIO(encode(circle(), extension, PROVENANCE))) as picture:
        assert picture.format == {"png": "PNG", "webp": "WEBP", "jpg": "JPEG"}[extension]
        assert picture.size == (96, 64)
        error = np.abs(np.asarray(picture.convert("RGB")).astype(int) - circle())
    assert error.mean() < (2.0 if extension == "jpg" else 0.01)


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_the_provenance_comes_back_whole(extension: str) -> None:
    assert read_provenance(encode(circle(), extension, PROVENANCE)) == PROVENANCE


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_the_same_picture_gives_the_same_bytes(extension: str) -> None:
    assert encode(circle(), extension, PROVENANCE) == encode(circle(), extension, PROVENANCE)


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_standard_fields_name_the_prompt_the_software_and_the_source(extension: str) -> None:
    with Image.open(io.BytesIO(encode(circle(), extension, PROVENANCE))) as picture:
        info = picture.info
    (described,) = ElementTree.fromstring(info["xmp"])[0]
    fields = {field.tag.split("}")[1]: "".join(field.itertext()).strip() for field in described}
    assert fields["CreatorTool"] == "omnifex 0.1.0"
    assert fields["DigitalSourceType"] == record.SOURCE_TYPE
    assert fields["description"] == 'a <large> & "red" café ★ circle on navy'
    if extension == "png":
        assert info["Software"] == "omnifex 0.1.0"
        assert info["Description"].startswith("a <large>")


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_decode_gives_the_pixels_back(extension: str) -> None:
    pixels = decode(encode(circle(), extension, PROVENANCE))
    assert pixels.shape == (64, 96, 3)
    assert pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - circle()).mean() < 2.0


def test_a_picture_made_elsewhere_has_no_provenance() -> None:
    for form in ("PNG", "JPEG"):
        file = io.BytesIO()
        Image.fromarray(circle()).save(file, form, comment=b"not ours")
        assert read_provenance(file.getvalue()) is None


def test_transparency_lies_on_white() -> None:
    file = io.BytesIO()
    Image.new("RGBA", (4, 4), (255, 0, 0, 0)).save(file, "PNG")
    assert (decode(file.getvalue()) == 255).all()


def test_sixteen_bit_grey_is_scaled_not_clipped() -> None:
    file = io.BytesIO()
    Image.fromarray(np.full((4, 4), 0x8000, np.uint16)).save(file, "PNG")
    assert (decode(file.getvalue()) == 0x80).all()


def test_a_turned_photograph_is_set_upright() -> None:
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned by 90°
    Image.fromarray(circle()).save(file, "JPEG", exif=exif)
    assert decode(file.getvalue()).shape == (96, 64, 3)


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_a_truncated_picture_is_refused(extension: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    data = encode(noise, extension, PROVENANCE)
    with pytest.raises(UnreadableImage, match=r"give a"):
        decode(data[: len(data) * 2 // 3])


@pytest.mark.parametrize("cut", [4, 8, 20, 33, 60, 200, 500])
def test_wherever_it_is_cut_it_is_refused_in_one_sentence(cut: int) -> None:
    with pytest.raises(UnreadableImage) as caught:
        decode(encode(circle(), "png", PROVENANCE)[:cut])
    assert str(caught.value).endswith("give a whole file.") or "no picture" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_text_file_is_refused_by_its_first_words() -> None:
    with pytest.raises(UnreadableImage, match=r"starts with b'Dear Omnifex' is no picture"):
        decode(b"Dear Omnifex, here is my picture.")


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(UnreadableImage, match=r"empty \(0 bytes\)"):
        decode(b"")


@pytest.mark.parametrize("size", [(8001, 8001), (12_000, 10_000), (60_000, 60_000)])
def test_a_decompression_bomb_is_refused_before_it_is_unpacked(size: tuple[int, int]) -> None:
    with pytest.raises(UnreadableImage, match=r"scale it down") as caught:
        decode(png(size))
    assert caught.value.code == "unreadable_image"


def test_a_prompt_too_long_for_a_jpeg_goes_into_a_png() -> None:
    long = {**PROVENANCE, "prompt": "very " * 20_000 + "red"}
    with pytest.raises(MetadataTooLong, match=r"65,504; use png or webp"):
        encode(circle(), "jpg", long)
    for extension in ("png", "webp"):
        assert read_provenance(encode(circle(), extension, long)) == long
