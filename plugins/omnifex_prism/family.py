"""What the built-in families have in common: how a prompt is read, told and decoded."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import TypeVar

from omnifex import Condition, LatentFamily, Request
from omnifex.calling import ARGUMENTS, refuse_unusable
from omnifex_prism.reading import Reading
from omnifex_prism.vocabulary import Phrase, Vocabulary

if TYPE_CHECKING:
    from torch import Tensor

    from omnifex.engine.context import JobContext
    from omnifex.engine.model import LoadedModel
    from omnifex_registry import Model

RequestT = TypeVar("RequestT", bound=Request, default=Request)


class PrismFamily(LatentFamily[RequestT]):
    """One modality of `prism`, the flow-matching transformer that all modalities share.

    The model has a conditioner and an autoencoder a modality, named after it.
    """

    name = "prism"
    shift = 4.0  # nearly all is decided near pure noise, where it was trained most
    guidance = 2.0  # more brings specks
    class_name: ClassVar[str] = "PrismPipeline"
    vocabulary: ClassVar[Vocabulary]
    cannot: ClassVar[Collection[str]] = ()
    """Fields of its modality's requests that other models have a use for."""

    @abstractmethod
    def read(self, prompt: str) -> Reading:
        """The prompt as phrases of the vocabulary."""

    @abstractmethod
    def media(self, samples: Tensor, request: RequestT) -> Any:
        """What the modality encodes, out of decoded samples (1, C, …) in [-1, 1]."""

    def recognises(self, model: Model) -> bool:
        return model.class_name == self.class_name and self.conditioner in model.components

    def check(self, request: RequestT, model: Model) -> list[str]:
        usable = ARGUMENTS.keys() - {*self.cannot}
        refuse_unusable(request, model, {*usable, "sampler"}, f"family {self.name!r}")
        return [*super().check(request, model), *self.read(request.prompt).notes]

    def shape(self, request: RequestT, model: LoadedModel) -> tuple[int, ...]:
        stream = model["backbone"].config["streams"][self.modality]
        return (stream["channels"], *stream["grid"])

    def condition(self, job: JobContext, request: RequestT, model: LoadedModel) -> Condition:
        import torch

        seed = job.seed if request.seed is None else request.seed
        phrases = self.settled(self.read(request.prompt).phrases, request, Random(seed))
        ids = torch.tensor([self.vocabulary.encode(phrases)])
        both = torch.cat([ids, torch.zeros_like(ids)]).to(job.device)  # the prompt, and silence
        tokens, pooled = model[self.conditioner](both)
        said, unsaid = (self.told(tokens[i : i + 1], pooled[i : i + 1]) for i in (0, 1))
        return Condition(said, unsaid, self.shared())

    def settled(
        self, phrases: Sequence[Phrase], request: RequestT, rng: Random
    ) -> Sequence[Phrase]:
        """The phrases that are told to the model, where the prompt leaves something open."""
        return phrases

    def told(self, tokens: Tensor, pooled: Tensor) -> Mapping[str, Tensor]:
        """The backbone's arguments for tokens (1, L, W) and a pooled vector (1, W)."""
        return {"tokens": tokens, "pooled": pooled}

    def shared(self) -> Mapping[str, Any]:
        return {"stream": self.modality}

    def decode(
        self, job: JobContext, latents: Tensor, request: RequestT, model: LoadedModel
    ) -> Any:
        return self.media(model[self.autoencoder].decode(latents), request)

    def preview(
        self, job: JobContext, latents: Tensor, request: RequestT, model: LoadedModel
    ) -> Any:
        return self.look(model[self.autoencoder].decode(self.part(latents)))

    def part(self, latents: Tensor) -> Tensor:
        """As much of the latents as a preview needs."""
        return latents

    @abstractmethod
    def look(self, samples: Tensor) -> Any:
        """Pixels (H, W, 3) uint8 that show decoded samples (1, C, …), quickly."""

    @property
    def conditioner(self) -> str:
        return f"{self.modality}_conditioner"

    @property
    def autoencoder(self) -> str:
        return f"{self.modality}_autoencoder"


class PrismDiffusionFamily(PrismFamily[RequestT]):
    """One modality of `prism-ldm`, the latent-diffusion UNet that pictures and sounds share."""

    name = "prism-ldm"
    class_name = "PrismDiffusionPipeline"
    prediction = "epsilon"
    guidance = 4.0
    grid: ClassVar[tuple[int, int]]  # of the latents

    def shape(self, request: RequestT, model: LoadedModel) -> tuple[int, ...]:
        return (model["backbone"].config["in_channels"], *self.grid)

    def told(self, tokens: Tensor, pooled: Tensor) -> Mapping[str, Tensor]:
        return {"encoder_hidden_states": tokens, "class_labels": pooled}

    def shared(self) -> Mapping[str, Any]:
        return {}
