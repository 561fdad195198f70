"""Any other pipeline of diffusers that makes pictures, called by its own signature."""

from __future__ import annotations

from omnifex.signatures import signature_of
from omnifex_image.families.pictures import ImageFamily
from omnifex_registry import Model


class AnyPipeline(ImageFamily):
    """Queue, progress, cancel, resume and sharing as for all; what it needs is its own to say."""

    name = "diffusers"
    precedence = -1
    optional = ("prompt", "image", "mask")

    def recognises(self, model: Model) -> bool:
        signature = signature_of(model.class_name)
        return signature is not None and "images" in signature.results

    def size_multiple(self, model: Model) -> int:
        return 1
