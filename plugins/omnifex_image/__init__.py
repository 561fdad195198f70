"""Pictures: PNG, WebP and JPEG."""

from omnifex import Family, Modality, hookimpl


@hookimpl
def register_modalities() -> list[Modality]:
    from omnifex_image.modality import ImageModality

    return [ImageModality()]


@hookimpl
def register_families() -> list[Family]:
    from omnifex_image.prism import PrismDiffusionImage, PrismImage

    return [PrismImage(), PrismDiffusionImage()]
