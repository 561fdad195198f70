"""The plugin contract: a Modality says what is asked and which file comes out, a Family how."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic

from typing_extensions import TypeVar

from omnifex.request import Request

if TYPE_CHECKING:
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

    def read_provenance(self, file: Path) -> Mapping[str, Any] | None:
        """What `encode` was given, from a file's own metadata; None where it says nothing."""
        return None

    def read_tags(self, file: Path) -> Mapping[str, str]:
        """All texts in a file's own metadata, whoever wrote them, for `omnifex inspect`."""
        return {}


class Family(ABC, Generic[RequestT]):
    """The knowledge of one kind of checkpoint, for one modality."""

    name: str
    modality: str
    precedence: int = 0
    """Which family goes first where several recognise a model: the highest."""

    @abstractmethod
    def recognises(self, model: Model) -> bool:
        """Whether this family can generate with the model, judged by its record alone."""

    def check(self, request: RequestT, model: Model) -> list[str]:
        """Refuse at submit what this model cannot do (an OmnifexError); return warnings to show.

        Runs in the submitting process, which has no torch.
        """
        return []

    def defaults(self, request: RequestT, model: Model) -> Mapping[str, Any]:
        """What this model uses for fields that the request leaves out (None)."""
        return {"steps": 20, "guidance": 4.0}

    def completed(self, request: RequestT, model: Model) -> RequestT:
        """The request with the model's own values where it has none, as its recipe keeps it."""
        own = self.defaults(request, model).items()
        left_out = {name: value for name, value in own if getattr(request, name, "") is None}
        return request.model_copy(update=left_out)

    @abstractmethod
    def generate(self, job: JobContext, request: RequestT, model: LoadedModel) -> Any:
        """The media, in the form that the modality's `encode` takes.

        Sequential Python in the job's own thread; between component calls no other job of this
        engine runs. Randomness comes from `job.generator` alone.
        """
