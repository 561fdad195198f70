"""One sentence out of a pydantic ValidationError: the field, the value, what is allowed."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from omnifex.errors import closest
from omnifex.places import item_fields
from omnifex.request import Item

KINDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


def sentence(error: ValidationError, request_type: type[BaseModel], subject: str) -> str:
    """All complaints about one request, as one sentence."""
    complaints = {complaint(detail, request_type, subject): None for detail in error.errors()}
    return "; ".join(complaints) + "."


def complaint(
    detail: ErrorDetails, request_type: type[BaseModel], subject: str, before: str = ""
) -> str:
    """`before` is where the field is, in an item of another one: "control[0]."."""
    name, *rest = map(str, detail["loc"] or (subject,))
    item = item_fields(request_type).get(name) if rest else None
    if item and len(rest) > 1:
        inner: Any = {**detail, "loc": detail["loc"][2:]}
        return complaint(inner, item, f"{name}[{rest[0]}]", f"{name}[{rest[0]}].")
    if detail["type"] == "extra_forbidden":
        return unknown_field(name, request_type, subject)
    if detail["type"] == "missing":
        return f"{subject} needs {'an' if name[0] in 'aeiou' else 'a'} {name}"
    field = request_type.model_fields.get(name)
    allowed = item_words(detail, item) if item else bounds(field) if field else ""
    place = f"{before}{name}[{rest[0]}]" if item else f"{before}{name}"
    return f"{place} is {shown(detail['input'])}, but must be {allowed or reason(detail)}"


def item_words(detail: ErrorDetails, item: type[Item]) -> str:
    """What an item must be that is none, or one whose fields contradict each other."""
    return item.form if detail["type"] == "model_type" else reason(detail)


def unknown_field(name: str, request_type: type[BaseModel], subject: str) -> str:
    known = list(request_type.model_fields)
    return f"{subject} has no field {name!r}{closest(name, known)}; known: {', '.join(known)}"


def shown(value: Any) -> str:
    """The value as the user wrote it, cut short."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def reason(detail: ErrorDetails) -> str:
    """Pydantic's own words, as the end of a sentence: 'Input should be X' → 'X'."""
    for start in ("Input should be ", "Value error, ", "Assertion failed, "):
        if detail["msg"].startswith(start):
            return detail["msg"].removeprefix(start)
    return detail["msg"][:1].lower() + detail["msg"][1:]


def bounds(field: FieldInfo) -> str:
    """What a field allows, in words; empty where only pydantic knows."""
    choices, kind = [*literals(field.annotation)], kind_of(field.annotation)
    if choices:
        return f"one of {', '.join(map(str, choices))}"
    limits = {
        name: getattr(constraint, name)
        for constraint in field.metadata
        for name in ("ge", "gt", "le", "lt", "multiple_of", "min_length", "max_length")
        if getattr(constraint, name, None) is not None
    }
    return " ".join(part for part in (kind, *range_words(limits)) if part) if limits else ""


def range_words(limits: dict[str, Any]) -> Iterator[str]:
    if "ge" in limits and "le" in limits:
        yield f"from {limits.pop('ge')} to {limits.pop('le')}"
    if "min_length" in limits and "max_length" in limits:
        yield f"of {limits.pop('min_length')} to {limits.pop('max_length')} characters"
    words = {
        "ge": "of at least {}",
        "gt": "above {}",
        "le": "of at most {}",
        "lt": "below {}",
        "multiple_of": "divisible by {}",
        "min_length": "of at least {} characters",
        "max_length": "of at most {} characters",
    }
    yield from (words[name].format(limit) for name, limit in limits.items())


def literals(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
    elif get_origin(annotation) in (Union, types.UnionType):
        for option in get_args(annotation):
            yield from literals(option)


def kind_of(annotation: Any) -> str:
    options = [annotation, *get_args(annotation)]
    return next((KINDS[option] for option in options if option in KINDS), "")
