"""The plugin contract: a Modality says what is asked and which file comes out, a Family how."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic

from typing_extensions import TypeVar

from omnifex.request import Request
from omnifex.samplers import Prediction, fitting_sampler

if TYPE_CHECKING:
    from torch import Tensor

    from omnifex.engine.context import JobContext
    from omnifex.engine.model import LoadedModel
    from omnifex_registry import Model

RequestT = TypeVar("RequestT", bound=Request, default=Request)


@dataclass(frozen=True)
class File:
    """One file made by a job, before it is stored; `role` is `output` or `preview`."""

    data: bytes
    media_type: str
    suffix: str
    role: str = "output"
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class BuiltinModel:
    """A model folder (diffusers layout) that comes with a plugin and is registered under `name`."""

    name: str
    path: Path


class Modality(ABC, Generic[RequestT]):
    """A kind of media: the typed request that asks for it and the files that carry it."""

    name: str
    title: str
    Request: type[RequestT]
    formats: Mapping[str, str]
    default_format: str
    default_model: str
    example_prompt: str = "a red circle"

    @abstractmethod
    def encode(self, media: Any, request: RequestT, provenance: Mapping[str, Any]) -> list[File]:
        """What a family's `generate` returned, as files with `provenance` in their own metadata.

        Runs after `generate` in the job's thread, beside other jobs: it calls no component and
        keeps no state on itself.
        """

    def check_input(self, file: Path) -> None:
        """Refuse a user's file of this media that cannot be read, with an UnreadableInput.

        Called at submit for fields marked MediaInput(name), in a process that has no torch.
        """


class Family(ABC, Generic[RequestT]):
    """The knowledge of one kind of checkpoint, for one modality."""

    name: str
    modality: str

    @abstractmethod
    def recognises(self, model: Model) -> bool:
        """Whether this family can generate with the model, judged by its record alone."""

    def check(self, request: RequestT, model: Model) -> list[str]:
        """Refuse at submit what this model cannot do (an OmnifexError); return warnings to show.

        Runs in the submitting process, which has no torch.
        """
        return []

    @abstractmethod
    def generate(self, job: JobContext, request: RequestT, model: LoadedModel) -> Any:
        """The media, in the form that the modality's `encode` takes.

        Sequential Python in the job's own thread; between component calls no other job of this
        engine runs. Randomness comes from `job.generator` alone.
        """


@dataclass(frozen=True)
class Condition:
    """Keyword arguments of the backbone's call, batch axis first; no `negative`, no guidance.

    `shared` holds those that all rows have in common, such as a name or a table of positions.
    """

    positive: Mapping[str, Tensor]
    negative: Mapping[str, Tensor] | None = None
    shared: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Start:
    """Latents (1, C, …) to start from in place of pure noise, and how far to leave them, 0..1."""

    latents: Tensor
    strength: float


class LatentFamily(Family[RequestT]):
    """A family that gives its parts and leaves the loop to the platform."""

    prediction: Prediction = "velocity"
    shift: float = 1.0

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

    def start(self, job: JobContext, request: RequestT, model: LoadedModel) -> Start | None:
        """Where an input picture, clip or sound is worked on: its latents and the strength."""
        return None

    def check(self, request: RequestT, model: Model) -> list[str]:
        fitting_sampler(request.sampler, self.prediction)
        return []

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
            steps=request.steps,
            guidance=request.guidance,
            prediction=self.prediction,
            shift=self.shift,
            scheduler_config=model.scheduler_config,
            start=start,
        )

        job.stage("decoding", until=0.95)
        return self.decode(job, latents, request, model)
