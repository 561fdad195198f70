"""Which media type a file has, told by its first bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omnifex.modality import Modality

# (offset, bytes there, offset, bytes there) → media type and suffix; RIFF holds several kinds.
SIGNATURES: tuple[tuple[tuple[tuple[int, bytes], ...], str, str], ...] = (
    (((0, b"\x89PNG\r\n\x1a\n"),), "image/png", "png"),
    (((0, b"\xff\xd8\xff"),), "image/jpeg", "jpg"),
    (((0, b"RIFF"), (8, b"WEBP")), "image/webp", "webp"),
    (((0, b"GIF8"),), "image/gif", "gif"),
    (((4, b"ftyp"),), "video/mp4", "mp4"),
    (((0, b"\x1a\x45\xdf\xa3"),), "video/webm", "webm"),
    (((0, b"RIFF"), (8, b"WAVE")), "audio/wav", "wav"),
    (((0, b"fLaC"),), "audio/flac", "flac"),
    (((0, b"OggS"),), "audio/ogg", "ogg"),
    (((0, b"ID3"),), "audio/mpeg", "mp3"),
    (((0, b"\xff\xfb"),), "audio/mpeg", "mp3"),
    (((0, b"glTF"),), "model/gltf-binary", "glb"),
    (((0, b"ply\n"),), "model/ply", "ply"),
)
SIGNED = {media_type for _, media_type, _ in SIGNATURES} | {""}
HEAD = 16  # bytes that decide


def media_type_of(source: bytes | Path, modality: Modality[Any] | None) -> tuple[str, str]:
    """Media type and suffix: by signature, or by name where its kind has none; else ("", "")."""
    beginning = head(source)
    for parts, media_type, suffix in SIGNATURES:
        if all(beginning[at:].startswith(mark) for at, mark in parts):
            return media_type, suffix
    suffix = source.suffix.lower().lstrip(".") if isinstance(source, Path) else ""
    media_type = modality.formats.get(suffix, "") if modality else ""
    return ("", "") if media_type in SIGNED else (media_type, suffix)


def fits(media_type: str, kind: str, modality: Modality[Any] | None) -> bool:
    """Whether a file of this type can stand where this kind is asked for."""
    own = modality.formats.values() if modality else ()
    return media_type in own or media_type.startswith(f"{kind}/")


def head(source: bytes | Path) -> bytes:
    """The first bytes of a file."""
    if isinstance(source, bytes):
        return source[:HEAD]
    with source.open("rb") as file:
        return file.read(HEAD)
