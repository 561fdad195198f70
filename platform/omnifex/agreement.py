"""How well pictures agree with a prompt, by CLIP (Radford et al. 2021, Hessel et al. 2021)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from omnifex.modality import RequestT
from omnifex.scoring import Scorer

if TYPE_CHECKING:
    import numpy as np

    from omnifex.engine.context import JobContext
    from omnifex.engine.model import LoadedModel
    from omnifex_registry import Model

WORDS = 77  # tokens that a CLIP reads; what follows them is not looked at


class ClipAgreement(Scorer[RequestT]):
    """The cosine between CLIP's embeddings of prompt and picture; of several pictures their mean.

    From -1 to 1; with the released models, what fits is at about 0.3 and what does not at 0.1.
    """

    name = "CLIP"
    of_models = True

    def recognises(self, model: Model) -> bool:
        return model.class_name == "CLIPModel"

    @abstractmethod
    def pictures(self, media: Any) -> Sequence[np.ndarray]:
        """What of the media there is to see: (H, W, 3) uint8."""

    def score(
        self, job: JobContext, media: Any, request: RequestT, model: LoadedModel | None
    ) -> float:
        from torch.nn.functional import cosine_similarity

        assert model is not None
        shown = model.fresh("image_processor")(list(self.pictures(media)), return_tensors="pt")
        words = model.fresh("tokenizer")(
            request.prompt, truncation=True, max_length=WORDS, return_tensors="pt"
        )
        encoder = model["encoder"]
        text = encoder.get_text_features(
            input_ids=words["input_ids"].to(job.device),
            attention_mask=words["attention_mask"].to(job.device),
        )
        seen = encoder.get_image_features(
            pixel_values=shown["pixel_values"].to(job.device, encoder.dtype)
        )
        cosines = cosine_similarity(text.pooler_output, seen.pooler_output)  # (pictures,)
        return float(cosines.float().mean())
