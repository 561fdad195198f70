"""Pictures: PNG, WebP and JPEG."""

from typing import Any

from omnifex import Family, Modality, Scorer, hookimpl


@hookimpl
def register_modalities() -> list[Modality[Any]]:
    from omnifex_image.modality import ImageModality

    return [ImageModality()]


@hookimpl
def register_families() -> list[Family[Any]]:
    from omnifex_image.families import families
    from omnifex_image.prism import PrismDiffusionImage, PrismImage

    return [PrismImage(), PrismDiffusionImage(), *families()]


@hookimpl
def register_scorers() -> list[Scorer[Any]]:
    from omnifex_image.scorers import Colourfulness, ImageAesthetics, ImageAgreement, Sharpness

    return [Colourfulness(), Sharpness(), ImageAgreement(), ImageAesthetics()]
