"""All texts in a picture's metadata, whoever wrote them: PNG chunks, EXIF, XMP, comments."""

from __future__ import annotations

from PIL import ExifTags, Image

from omnifex_image.files import open_picture

USER_COMMENT = 0x9286
CODES = {b"UNICODE\0": "utf-16-be", b"ASCII\0\0\0": "ascii"}
MOST = 1 << 20  # characters of one text


def read_tags(data: bytes) -> dict[str, str]:
    """By their names in the file; what is no text is left out."""
    picture = open_picture(data)
    if picture.format == "PNG":
        picture.load()  # texts may stand behind the pixels
    texts = {str(name): as_text(value) for name, value in picture.info.items()}
    texts |= exif(picture)
    return {name: text[:MOST] for name, text in texts.items() if text}


def exif(picture: Image.Image) -> dict[str, str]:
    found = picture.getexif()
    tags = {**found, **found.get_ifd(ExifTags.IFD.Exif)}
    named = {ExifTags.TAGS.get(tag, str(tag)): value for tag, value in tags.items()}
    texts = {name: as_text(value) for name, value in named.items() if isinstance(value, str)}
    comment = tags.get(USER_COMMENT)
    if isinstance(comment, bytes):
        code = CODES.get(comment[:8], "utf-8")
        texts["UserComment"] = comment[8:].decode(code, "replace").strip("\0 ")
    return texts


def as_text(value: object) -> str:
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return ""
    return value if isinstance(value, str) else ""
