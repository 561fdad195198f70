"""What a user asks of any modality; plugins subclass Request and add their own fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from omnifex.errors import InvalidRequest

# The largest whole number that a browser's JSON reads back exactly.
MAX_SEED = 2**53 - 1


class Request(BaseModel):
    """The fields that every modality has; CLI, HTTP route and web form are made of them."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    prompt: str = Field(min_length=1, max_length=4000, description="What to make, in words.")
    seed: int | None = Field(
        default=None, ge=0, le=MAX_SEED, description="Same seed, same bytes; drawn when not given."
    )
    steps: int = Field(default=20, ge=1, le=1000, description="Sampling steps.")
    guidance: float = Field(
        default=4.0,
        ge=0,
        le=100,
        allow_inf_nan=False,
        description="How closely to follow the prompt.",
    )
    sampler: str | None = Field(
        default=None, description="Sampler by name; the model's own if not given."
    )
    deterministic: bool = Field(
        default=False, description="Same bits however many jobs run beside it; batches with none."
    )


@dataclass(frozen=True)
class MediaInput:
    """Marks a field as a file: `image: Annotated[str, MediaInput("image")] | None = None`.

    Users give a path, bytes, a PIL image, an artifact or a job; the field holds a reference to it,
    `sha256:<hex>` or `job:<id>`, and `job.input(reference)` is the path of its file.
    """

    kind: str


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
