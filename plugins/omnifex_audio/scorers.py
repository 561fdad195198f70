"""What tells a good sound from a worse one: what CLAP says of it (Elizalde et al. 2022)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from omnifex import Scorer
from omnifex.agreement import told
from omnifex_audio.modality import AudioRequest

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from omnifex.engine.context import JobContext
    from omnifex.engine.model import LoadedModel
    from omnifex_audio.modality import Wave
    from omnifex_registry import Model

MOST = 6  # pieces of a sound that are heard, each as long as the CLAP can hear


class ClapAgreement(Scorer[AudioRequest]):
    """The cosine between CLAP's embeddings of prompt and sound, the mean over its pieces."""

    name, modality, of_models = "CLAP", "audio", True

    def recognises(self, model: Model) -> bool:
        return model.class_name == "ClapModel"

    def score(
        self, job: JobContext, media: Any, request: AudioRequest, model: LoadedModel | None
    ) -> float:
        import torch

        assert model is not None
        text = told(job, request.prompt, model)
        extractor = model.fresh("feature_extractor")
        heard = [hear(job, model, extractor, piece) for piece in pieces(media, extractor)]
        similarity = torch.nn.functional.cosine_similarity
        return float(similarity(text, torch.cat(heard)).float().mean())


def pieces(wave: Wave, extractor: Any) -> Iterator[np.ndarray]:
    """The sound in mono at the extractor's rate, cut to what it takes.

    Of longer ones it would choose parts at random.
    """
    from omnifex_audio.files import resampled

    mono = wave.samples.mean(axis=0, keepdims=True)
    samples = resampled(mono, wave.rate, extractor.sampling_rate)[0]
    length = extractor.nb_max_samples
    yield from (samples[at : at + length] for at in range(0, len(samples), length)[:MOST])


def hear(job: JobContext, model: LoadedModel, extractor: Any, piece: np.ndarray) -> Tensor:
    """The embedding (1, width) of one piece."""
    told = extractor(piece, sampling_rate=extractor.sampling_rate, return_tensors="pt")
    encoder = model["encoder"]
    found: Tensor = encoder.get_audio_features(
        input_features=told["input_features"].to(job.device, encoder.dtype),
        is_longer=told["is_longer"].to(job.device),
    ).pooler_output
    return found
