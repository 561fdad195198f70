"""What a user asks of any modality; plugins subclass Request and add their own fields."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from omnifex.errors import InvalidRequest

# The largest whole number that a browser's JSON reads back exactly.
MAX_SEED = 2**53 - 1
MAX_PROMPT = 4000  # characters


@dataclass(frozen=True)
class MediaInput:
    """Marks a field as a file: `image: Annotated[str, MediaInput("image")] | None = None`.

    Users give a path, bytes, a PIL image, an artifact or a job; the field holds a reference to it,
    `sha256:<hex>` or `job:<id>`, and `job.input(reference)` is the path of its file.
    """

    kind: str


@dataclass(frozen=True)
class OtherModel:
    """Marks a field as the name of a model beside the one that the request is for."""


class Request(BaseModel):
    """The fields that every modality has; CLI, HTTP route and web form are made of them."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    prompt: str = Field(min_length=1, max_length=MAX_PROMPT, description="What to make, in words.")
    seed: int | None = Field(
        default=None, ge=0, le=MAX_SEED, description="Same seed, same bytes; drawn when not given."
    )
    steps: int | None = Field(
        default=None, ge=1, le=1000, description="Sampling steps; the model's own if not given."
    )
    guidance: float | None = Field(
        default=None,
        ge=0,
        le=100,
        allow_inf_nan=False,
        description="How closely to follow the prompt; the model's own if not given.",
    )
    sampler: str | None = Field(
        default=None, description="Sampler by name; the model's own if not given."
    )
    deterministic: bool = Field(
        default=False, description="Same bits however many jobs run beside it; batches with none."
    )
    style: str | None = Field(
        default=None, description="One of the model's styles, by name: words around the prompt."
    )
    rewrite: Annotated[str, OtherModel()] | None = Field(
        default=None, description="A language model, by name, that writes the prompt out first."
    )
    rewrite_instruction: str | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_PROMPT,
        description="What it is told; {prompt} stands for the prompt.",
    )
    best_of: int | None = Field(
        default=None, ge=1, le=64, description="How many are made, to keep the best of them."
    )
    scorer: str | None = Field(
        default=None, description="What scores them: a scorer or a model, such as a CLIP, by name."
    )
    keep: int | None = Field(
        default=None, ge=1, le=64, description="How many of the best are kept; one if not given."
    )


def parsed(value: Any) -> Any:
    """A command line and a web form have nothing but text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise ValueError(f"a JSON object ({error})") from None


class Item(BaseModel):
    """One of several things that a field lists, with fields of its own."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    form: ClassVar[str] = "a JSON object"
    """How one is written in short, on a command line."""

    @classmethod
    def from_text(cls, text: str) -> Any:
        """What its short form stands for; text that is none comes back as it is."""
        return text


class Lora(Item):
    """A low-rank change of the model (Hu et al. 2021), and how much of it."""

    form: ClassVar[str] = "MODEL[:WEIGHT]"

    model: Annotated[str, OtherModel()] = Field(description="A LoRA, by name.")
    weight: float = Field(default=1.0, ge=-10, le=10, description="How much of its change is made.")

    @classmethod
    def from_text(cls, text: str) -> Any:
        model, colon, weight = text.rpartition(":")
        try:
            return {"model": model, "weight": float(weight)} if colon else {"model": text}
        except ValueError:
            return {"model": text}


class Embedding(Item):
    """A word of one's own (textual inversion), and what prompts call it."""

    form: ClassVar[str] = "MODEL[=WORD]"

    model: Annotated[str, OtherModel()] = Field(description="A textual inversion, by name.")
    word: str | None = Field(
        default=None,
        pattern=r"^\S+$",
        max_length=80,
        description="What prompts call it; what its file says, or its name, if not given.",
    )

    @classmethod
    def from_text(cls, text: str) -> Any:
        model, sign, word = text.partition("=")
        return {"model": model, "word": word} if sign else {"model": text}


class CheckpointRequest(Request):
    """The fields of requests that other people's checkpoints answer."""

    negative_prompt: str | None = Field(
        default=None, max_length=MAX_PROMPT, description="What to keep away from, in words."
    )
    lora: list[Lora] = Field(
        default=[], max_length=8, description=f"LoRAs of the model: {Lora.form}, or JSON."
    )
    embedding: list[Embedding] = Field(
        default=[], max_length=8, description=f"Words of your own: {Embedding.form}, or JSON."
    )
    extra: Annotated[dict[str, Any], BeforeValidator(parsed)] = Field(
        default={}, description="More arguments of the model's pipeline, by name, as JSON."
    )


def media_fields(request_type: type[Request]) -> dict[str, str]:
    """The fields that take files, each with its kind of media."""
    marks = {
        name: next(marks_of(described.annotation, described.metadata, MediaInput), None)
        for name, described in request_type.model_fields.items()
    }
    return {name: mark.kind for name, mark in marks.items() if mark}


def marks_of(annotation: Any, metadata: Any, mark: type[MarkT]) -> Iterator[MarkT]:
    """The marks of this type on a field, whatever is around its own type."""
    yield from (one for one in metadata if isinstance(one, mark))
    for inner in get_args(annotation):
        yield from marks_of(inner, getattr(inner, "__metadata__", ()), mark)


MarkT = TypeVar("MarkT")
AnyRequest = TypeVar("AnyRequest", bound=Request)


def validated(
    request_type: type[AnyRequest], fields: Mapping[str, Any], subject: str
) -> AnyRequest:
    """The typed request, or InvalidRequest with one sentence; `subject` is the modality's name."""
    try:
        return request_type.model_validate(dict(fields))
    except ValidationError as error:
        from omnifex.field_errors import sentence

        raise InvalidRequest(sentence(error, request_type, subject)) from None
