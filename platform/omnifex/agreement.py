"""What CLIP says of pictures (Radford et al. 2021): are they as a prompt has it, are they liked."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from omnifex.modality import RequestT
from omnifex.scoring import Scorer

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from omnifex.engine.context import JobContext
    from omnifex.engine.model import LoadedModel
    from omnifex_registry import Model

WORDS = 77  # tokens that a CLIP or a CLAP reads; what follows them is not looked at


class ClipScorer(Scorer[RequestT]):
    """One that looks at the media by a CLIP, and wants nothing but the pictures that show them."""

    of_models = True

    @abstractmethod
    def pictures(self, media: Any) -> Sequence[np.ndarray]:
        """What of the media there is to see: (H, W, 3) uint8."""

    def seen(self, job: JobContext, media: Any, model: LoadedModel) -> Tensor:
        """The embeddings of the pictures, (pictures, width)."""
        shown = model.fresh("image_processor")(list(self.pictures(media)), return_tensors="pt")
        encoder = model["encoder"]
        pixels = shown["pixel_values"].to(job.device, encoder.dtype)
        found: Tensor = encoder.get_image_features(pixel_values=pixels).pooler_output
        return found


class ClipAgreement(ClipScorer[RequestT]):
    """The cosine between CLIP's embeddings of prompt and picture (CLIPScore, Hessel et al. 2021).

    From -1 to 1, of several pictures their mean; with the released models, what fits is at about
    0.3 and what does not at 0.1.
    """

    name = "CLIP"

    def recognises(self, model: Model) -> bool:
        return model.class_name == "CLIPModel"

    def score(
        self, job: JobContext, media: Any, request: RequestT, model: LoadedModel | None
    ) -> float:
        from torch.nn.functional import cosine_similarity

        assert model is not None
        text = told(job, request.prompt, model)
        cosines = cosine_similarity(text, self.seen(job, media, model))  # (pictures,)
        return float(cosines.float().mean())


class ClipAesthetics(ClipScorer[RequestT]):
    """How well people like such pictures, by a head over CLIP's embeddings (LAION, 2022).

    On the scale that the head was trained on, for LAION's about 1 to 10; of several the mean.
    """

    name = "aesthetic predictor"

    def recognises(self, model: Model) -> bool:
        return model.class_name == "AestheticPredictor"

    def score(
        self, job: JobContext, media: Any, request: RequestT, model: LoadedModel | None
    ) -> float:
        from torch.nn.functional import normalize

        assert model is not None
        seen = normalize(self.seen(job, media, model).float())
        return float(model["head"](seen.to(model["head"].dtype)).float().mean())


def told(job: JobContext, prompt: str, model: LoadedModel) -> Tensor:
    """The embedding of the prompt by a model of two halves, a CLIP or a CLAP, (1, width)."""
    words = model.fresh("tokenizer")(prompt, truncation=True, max_length=WORDS, return_tensors="pt")
    found: Tensor = (
        model["encoder"]
        .get_text_features(
            input_ids=words["input_ids"].to(job.device),
            attention_mask=words["attention_mask"].to(job.device),
        )
        .pooler_output
    )
    return found
