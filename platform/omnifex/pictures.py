"""Pictures that users hand in, as pipelines take them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

Size = tuple[int, int]  # width, height


def opened(path: Path, mode: str = "RGB") -> Image:
    """Upright, transparency on white; a mask in mode "L"."""
    from PIL import Image, ImageOps

    with Image.open(path) as file:
        picture = ImageOps.exif_transpose(file)
        if picture.has_transparency_data:
            picture = picture.convert("RGBA")
            picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
        return picture.convert(mode)


def fitted(picture: Image, size: Size) -> Image:
    """The middle of the picture, scaled to fill the size."""
    from PIL import Image, ImageOps

    if picture.size == size:
        return picture
    return ImageOps.fit(picture, size, Image.Resampling.LANCZOS)


def rounded(size: Size, multiple: int) -> Size:
    """The size with both sides cut down to a multiple."""
    width, height = (max(multiple, side - side % multiple) for side in size)
    return width, height


def in_one_size(
    pictures: Mapping[str, Image], width: int | None, height: int | None, multiple: int | None
) -> dict[str, Any]:
    """The pictures, in the size asked for or else in the first one's own, and that size.

    `multiple` is what a size must be divisible by; None where pictures may be of any size.
    """
    if not pictures or (multiple is None and None in (width, height)):
        return dict(pictures)
    own = next(iter(pictures.values())).size
    asked = (width or own[0], height or own[1])
    size = rounded(asked, multiple) if multiple else asked
    alike = {name: fitted(picture, size) for name, picture in pictures.items()}
    return {**alike, "width": size[0], "height": size[1]}
