"""Where a request holds files and names of models: in its fields, and in those of its items."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar, get_args

from pydantic import BaseModel

from omnifex.request import Item, marks_of

Place = tuple[str | int, ...]  # ("image",), ("control", 0, "image")
MarkT = TypeVar("MarkT")


def marked(
    model: type[BaseModel], fields: Mapping[str, Any], mark: type[MarkT]
) -> Iterator[tuple[Place, MarkT, Any]]:
    """Each value in a field that is marked so, with its place and its mark."""
    for name, described in model.model_fields.items():
        value = fields.get(name)
        if value is None:
            continue
        found = next(marks_of(described.annotation, described.metadata, mark), None)
        item = item_type(described.annotation)
        for place, one in singly(name, value):
            if found is not None:
                yield place, found, one
            elif item and isinstance(one, Mapping):
                inner = marked(item, one, mark)
                yield from ((place + rest, own, held) for rest, own, held in inner)


def singly(name: str, value: Any) -> Iterator[tuple[Place, Any]]:
    """The value, or each of a list's."""
    if isinstance(value, list | tuple):
        yield from (((name, index), one) for index, one in enumerate(value))
    else:
        yield (name,), value


def item_type(annotation: Any) -> type[Item] | None:
    """What a field holds a list of, where that has fields of its own."""
    if isinstance(annotation, type) and issubclass(annotation, Item):
        return annotation
    return next(filter(None, map(item_type, get_args(annotation))), None)


def item_fields(request_type: type[BaseModel]) -> dict[str, type[Item]]:
    """The fields that hold items, with the type of those."""
    found = {n: item_type(field.annotation) for n, field in request_type.model_fields.items()}
    return {name: item for name, item in found.items() if item}


def spelt_out(request_type: type[BaseModel], fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields, with items that are given as text or one without a list as lists of objects."""
    items = item_fields(request_type)
    return {
        name: listed(items[name], value) if name in items and value is not None else value
        for name, value in fields.items()
    }


def listed(item: type[Item], value: Any) -> list[Any]:
    if isinstance(value, list | tuple):
        return [one for given in value for one in listed(item, given)]
    if isinstance(value, Item):
        return [value.model_dump()]
    return read(item, value) if isinstance(value, str) else [value]


def read(item: type[Item], text: str) -> list[Any]:
    """JSON, or the item's own short form; what is neither is left for pydantic to refuse."""
    try:
        found = json.loads(text)
    except ValueError:
        return [item.from_text(text)]
    return found if isinstance(found, list) else [found]


def replaced(fields: Mapping[str, Any], values: Mapping[Place, Any]) -> dict[str, Any]:
    """The fields with these values in their places; what is given is left as it is."""
    return {name: put(value, (name,), values) for name, value in fields.items()}


def put(held: Any, place: Place, values: Mapping[Place, Any]) -> Any:
    if place in values:
        return values[place]
    if isinstance(held, Mapping):
        return {name: put(one, (*place, name), values) for name, one in held.items()}
    if isinstance(held, list | tuple):
        return [put(one, (*place, index), values) for index, one in enumerate(held)]
    return held


def shown(place: Place) -> str:
    """`control[0].image`: how a sentence names it."""
    steps = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in place]
    return "".join(steps).removeprefix(".")
