"""Pictures as files: PNG, WebP and JPEG, each carrying its provenance.

WebP is written without loss, as it halves the colour resolution otherwise; JPEG is the small one.
PNG keeps the provenance in iTXt chunks (W3C PNG, 11.3.3.4), JPEG and WebP in an XMP packet
(ISO 16684-1).
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from omnifex import provenance as record
from omnifex.errors import OmnifexError, UnreadableInput

MAX_PIXELS = 64_000_000
JPEG_XMP_BYTES = 65_504
"""One APP1 segment less its name (XMP part 3, 1.1.3)."""

_SAVE: Mapping[str, Mapping[str, Any]] = {
    "png": {"format": "PNG"},
    "webp": {"format": "WEBP", "lossless": True},
    "jpg": {"format": "JPEG", "quality": 95, "subsampling": "4:4:4"},
}
_PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 xmlns:omnifex="urn:omnifex:1.0/">
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{title}</rdf:li></rdf:Alt></dc:description>
<xmp:CreatorTool>{software}</xmp:CreatorTool>
<Iptc4xmpExt:DigitalSourceType>{source}</Iptc4xmpExt:DigitalSourceType>{own}
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="r"?>"""
_OWN = re.compile(r"<omnifex:provenance>(.*?)</omnifex:provenance>", re.DOTALL)


class UnreadableImage(UnreadableInput):
    """The bytes are no picture, a broken one, or one too large to open."""

    code = "unreadable_image"


class MetadataTooLong(OmnifexError):
    """The provenance does not fit into the container's metadata."""

    code = "metadata_too_long"


def encode(pixels: np.ndarray, extension: str, provenance: Mapping[str, Any]) -> bytes:
    """(H, W, 3) uint8 to a png, webp or jpg file; the same input gives the same bytes."""
    file = io.BytesIO()
    metadata = _png_metadata if extension == "png" else _xmp_metadata
    options = {**_SAVE[extension], **metadata(provenance)}
    if extension == "jpg":
        _check_jpeg(options["xmp"])
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, **options)
    return file.getvalue()


def bytes_of(pixels: np.ndarray) -> np.ndarray:
    """Pixels in 256 shades, as diffusers' own pipelines round them."""
    if pixels.dtype == np.uint8:
        return pixels
    return (pixels * 255).round().astype(np.uint8)


def decode(data: bytes) -> np.ndarray:
    """(H, W, 3) uint8: upright, transparency on white, the first frame of an animation."""
    picture = open_picture(data)
    try:
        picture = ImageOps.exif_transpose(picture)
        return np.array(_opaque(picture))
    except Exception as error:  # Pillow's decoders let through whatever broken bytes make of them.
        raise UnreadableImage(
            f"the {picture.format or 'picture'} file of {len(data):,} bytes is broken"
            f" ({_reason(error)}); give a whole file."
        ) from error


def read_provenance(data: bytes) -> dict[str, Any] | None:
    """What `encode` was given; None in a picture made elsewhere."""
    picture = open_picture(data)
    if picture.format == "PNG":
        return record.from_json(picture.info.get(record.KEY))
    packet = picture.info.get("xmp") or b""
    found = _OWN.search(packet.decode("utf-8", "replace"))
    return record.from_json(html.unescape(found[1])) if found else None


def _png_metadata(provenance: Mapping[str, Any]) -> dict[str, Any]:
    chunks = PngInfo()
    chunks.add_itxt("Description", record.title(provenance))
    chunks.add_itxt("Software", record.software(provenance))
    chunks.add_itxt(record.KEY, record.to_json(provenance))
    chunks.add_itxt("XML:com.adobe.xmp", _packet(provenance, own=""))
    return {"pnginfo": chunks}


def _xmp_metadata(provenance: Mapping[str, Any]) -> dict[str, Any]:
    blob = html.escape(record.to_json(provenance), quote=False)
    own = f"\n<omnifex:provenance>{blob}</omnifex:provenance>"
    return {"xmp": _packet(provenance, own).encode()}


def _packet(provenance: Mapping[str, Any], own: str) -> str:
    return _PACKET.format(
        title=html.escape(record.title(provenance), quote=False),
        software=html.escape(record.software(provenance), quote=False),
        source=record.SOURCE_TYPE,
        own=own,
    )


def _check_jpeg(packet: bytes) -> None:
    if len(packet) > JPEG_XMP_BYTES:
        raise MetadataTooLong(
            f"the prompt and parameters take {len(packet):,} bytes of metadata and a JPEG file"
            f" holds {JPEG_XMP_BYTES:,}; use png or webp."
        )


def open_picture(data: bytes) -> Image.Image:
    """Reads the header only, so that the size is known before anything is unpacked."""
    if not data:
        raise UnreadableImage("the picture file is empty (0 bytes); give a PNG, JPEG or WebP file.")
    try:
        picture = Image.open(io.BytesIO(data))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnreadableImage(
            f"the picture is larger than {MAX_PIXELS:,} pixels ({_reason(error)}); scale it down."
        ) from error
    except Exception as error:  # see decode
        raise UnreadableImage(
            f"the file of {len(data):,} bytes that starts with {data[:12]!r} is no picture;"
            " give a PNG, JPEG or WebP file."
        ) from error
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise UnreadableImage(
            f"the picture is {width}×{height} pixels, more than {MAX_PIXELS:,}; scale it down."
        )
    return picture


def _opaque(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):  # 16 bits a sample: Pillow's convert would clip, not scale
        eight = (np.asarray(picture) >> 8).clip(0, 255).astype(np.uint8)
        return Image.fromarray(eight).convert("RGB")
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    white = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(white, picture.convert("RGBA")).convert("RGB")


def _reason(error: Exception) -> str:
    return str(error).rstrip(".").lower() or type(error).__name__
