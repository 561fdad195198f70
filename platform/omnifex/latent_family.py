"""The declarative family: a plugin gives the parts, the platform's loop does the rest."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from omnifex.condition import Condition, Start
from omnifex.modality import Family, RequestT
from omnifex.samplers import Prediction, fitting_sampler

if TYPE_CHECKING:
    from torch import Tensor

    from omnifex.engine.context import JobContext
    from omnifex.engine.model import LoadedModel
    from omnifex_registry import Model


class LatentFamily(Family[RequestT]):
    """A family that gives its parts and leaves the loop to the platform."""

    prediction: Prediction = "velocity"
    shift: float = 1.0
    steps: int = 20
    guidance: float = 4.0

    @abstractmethod
    def shape(self, request: RequestT, model: LoadedModel) -> tuple[int, ...]:
        """The latents' shape without the batch axis: (C, …)."""

    @abstractmethod
    def condition(self, job: JobContext, request: RequestT, model: LoadedModel) -> Condition:
        """What the backbone is told, once per job; positive and negative are alike in shape."""

    @abstractmethod
    def decode(
        self, job: JobContext, latents: Tensor, request: RequestT, model: LoadedModel
    ) -> Any:
        """The media out of the finished latents (1, C, …), fp32 on the engine's device."""

    def preview(
        self, job: JobContext, latents: Tensor, request: RequestT, model: LoadedModel
    ) -> Any:
        """Pixels (H, W, 3) uint8 of what the latents (1, C, …) would become, small and quick.

        Called now and then while a long job samples; None where there is nothing to see.
        """
        return None

    def start(self, job: JobContext, request: RequestT, model: LoadedModel) -> Start | None:
        """Where an input picture, clip or sound is worked on: its latents and the strength."""
        return None

    def check(self, request: RequestT, model: Model) -> list[str]:
        fitting_sampler(request.sampler, self.prediction)
        return []

    def defaults(self, request: RequestT, model: Model) -> Mapping[str, Any]:
        return {"steps": self.steps, "guidance": self.guidance}

    def generate(self, job: JobContext, request: RequestT, model: LoadedModel) -> Any:
        from omnifex.generate import sample_latents

        job.stage("conditioning", until=0.05)
        condition = self.condition(job, request, model)
        start = self.start(job, request, model)

        job.stage("sampling", until=0.90)
        latents = sample_latents(
            job,
            model["backbone"],
            self.shape(request, model),
            condition,
            sampler=request.sampler,
            steps=request.steps or self.steps,
            guidance=self.guidance if request.guidance is None else request.guidance,
            prediction=self.prediction,
            shift=self.shift,
            scheduler_config=model.scheduler_config,
            start=start,
            show=lambda clean: job.preview(
                f"{self.modality} by {model.name}",
                lambda: self.preview(job, clean(), request, model),
            ),
        )

        job.stage("decoding", until=0.95)
        return self.decode(job, latents, request, model)
