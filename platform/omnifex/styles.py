"""Styles: named presets of a model that a request chooses by `style`; kept in the registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from omnifex.errors import InvalidRequest, closest
from omnifex.request import AnyRequest
from omnifex_registry import Model

PLACE = "{prompt}"
USUAL = ("steps", "guidance", "sampler")  # what a request that leaves them out gets of a style
MOST_NAME = 60  # characters


class InvalidStyle(InvalidRequest):
    """A style that says nothing, or something that no style can."""

    code = "invalid_style"


class Style(BaseModel):
    """Words around a prompt, and what goes with them; texts have a place for {prompt}.

    A text without that place is put behind the prompt, or behind the negative prompt.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt: str | None = Field(default=None, min_length=1, max_length=2000)
    negative_prompt: str | None = Field(default=None, min_length=1, max_length=2000)
    steps: int | None = Field(default=None, ge=1, le=1000)
    guidance: float | None = Field(default=None, ge=0, le=100, allow_inf_nan=False)
    sampler: str | None = Field(default=None, min_length=1, max_length=100)


def style_from(values: Mapping[str, Any], name: str) -> Style:
    """The typed style, or InvalidStyle with one sentence."""
    from omnifex.field_errors import sentence

    if not 1 <= len(name.strip()) <= MOST_NAME:
        raise InvalidStyle(f"style {name!r} must have a name of 1 to {MOST_NAME} characters.")
    try:
        style = Style.model_validate({k: v for k, v in values.items() if v is not None})
    except ValidationError as error:
        raise InvalidStyle(sentence(error, Style, f"style {name!r}")) from None
    if style == Style():
        said = ", ".join(Style.model_fields)
        raise InvalidStyle(f"style {name!r} says nothing; give it some of these: {said}.")
    return style


def chosen(request: AnyRequest, model: Model) -> Style | None:
    """The style that the request names, or InvalidRequest with those that the model has."""
    if request.style is None:
        return None
    if request.style not in model.styles:
        has = ", ".join(sorted(model.styles)) or f"none, see `omnifex models style {model.name}`"
        raise InvalidRequest(
            f"model {model.name!r} has no style {request.style!r}"
            f"{closest(request.style, model.styles)}; it has: {has}."
        )
    style = Style(**model.styles[request.style])
    if style.negative_prompt and "negative_prompt" not in type(request).model_fields:
        raise InvalidRequest(
            f"style {request.style!r} has a negative_prompt, which such a request cannot have; "
            "choose another one."
        )
    return style


def with_usual(request: AnyRequest, style: Style | None) -> AnyRequest:
    """The request with the style's numbers where it has none of its own."""
    if style is None:
        return request
    own = {field: getattr(style, field) for field in USUAL if getattr(request, field) is None}
    return request.model_copy(update={f: value for f, value in own.items() if value is not None})


def styled(request: AnyRequest, style: Style | None) -> AnyRequest:
    """The request in the words of the style."""
    return request if style is None else request.model_copy(update=texts(request, style))


def texts(request: AnyRequest, style: Style) -> dict[str, str]:
    """What becomes of the prompt and the negative prompt."""
    own = {"prompt": style.prompt, "negative_prompt": style.negative_prompt}
    return {
        field: filled(text, getattr(request, field) or "")
        for field, text in own.items()
        if text is not None
    }


def filled(text: str, prompt: str) -> str:
    whole = text.replace(PLACE, prompt) if PLACE in text else f"{prompt}, {text}"
    return whole.strip(" ,")
