"""Pictures: PNG, WebP and JPEG."""

from omnifex import hookimpl
from omnifex_image.modality import ImageModality
from omnifex_image.prism import PrismDiffusionImage, PrismImage


@hookimpl
def register_modalities() -> list[ImageModality]:
    return [ImageModality()]


@hookimpl
def register_families() -> list[PrismImage]:
    return [PrismImage(), PrismDiffusionImage()]
