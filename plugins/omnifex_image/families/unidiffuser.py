"""UniDiffuser (Bao et al. 2023): one U-ViT for pictures and words, in every direction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from omnifex import InvalidRequest
from omnifex.model_config import autoencoder_scale, backbone_config
from omnifex_image.families.pictures import ImageFamily
from omnifex_image.modality import ImageRequest, Made

if TYPE_CHECKING:
    from omnifex.engine.context import JobContext
    from omnifex.engine.model import LoadedModel
    from omnifex.signatures import Signature
    from omnifex_registry import Model

MODES = ("text2img", "img2text", "joint", "img", "text")


class UniDiffuser(ImageFamily):
    """A prompt gives a picture, a picture gives words, neither gives both; or `extra`'s mode."""

    name = "unidiffuser"
    pipelines = ("UniDiffuserPipeline",)
    optional = ("prompt", "image")
    options = ("mode",)
    multiple = 8

    def check(self, request: ImageRequest, model: Model) -> list[str]:
        mode = request.extra.get("mode")
        if mode not in (None, *MODES):
            raise InvalidRequest(f"extra has mode {mode!r}; it can be {', '.join(MODES)}.")
        if mode is None and request.prompt and request.image:
            raise InvalidRequest(
                f"model {model.name!r} goes from words to a picture or from a picture to words; "
                "leave out the prompt or the image, or choose the mode in extra."
            )
        return super().check(request, model)

    def pipeline(self, request: ImageRequest, model: LoadedModel) -> Any:
        pipeline = super().pipeline(request, model)
        pipeline.mode = request.extra.get("mode")
        return pipeline

    def pictures(
        self, job: JobContext, request: ImageRequest, model: LoadedModel, signature: Signature
    ) -> dict[str, Any]:
        """In the model's own size, where no other is asked for: its patches have fixed places."""
        own = int(backbone_config(model.record)["sample_size"]) * autoencoder_scale(model.record)
        sized = request.model_copy(
            update={"width": request.width or own, "height": request.height or own}
        )
        return super().pictures(job, sized, model, signature)

    def media(self, output: Any, request: ImageRequest) -> Made:
        pictures, words = output.images, output.text
        return Made(
            pixels=None if pictures is None else pictures[0],
            text=None if words is None else words[0],
        )
