"""Previews as pictures small enough for an event."""

from __future__ import annotations

import base64
import io
from typing import Any

MOST_PIXELS = 256  # along a side
MOST_BYTES = 12_000  # 16 kB as base64
QUALITIES = (80, 60, 40, 20)


def small_picture(pixels: Any) -> dict[str, Any]:
    """(H, W, 3) uint8 as a WebP in base64, with its size: what an event of a preview holds."""
    from PIL import Image

    picture = Image.fromarray(pixels)
    picture.thumbnail((MOST_PIXELS, MOST_PIXELS))
    data = small_enough(picture)
    return {
        "media_type": "image/webp",
        "width": picture.width,
        "height": picture.height,
        "data": base64.b64encode(data).decode(),
    }


def small_enough(picture: Any) -> bytes:
    """The first WebP that fits; a picture of noise is made smaller until it does."""
    while True:
        for quality in QUALITIES:
            file = io.BytesIO()
            picture.save(file, "WEBP", quality=quality)
            if file.tell() <= MOST_BYTES:
                return file.getvalue()
        picture = picture.reduce(2)
