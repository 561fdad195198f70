"""One command for each modality, made from the type of its request."""

from __future__ import annotations

import inspect
import mimetypes
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from omnifex.cli import options, queueing
from omnifex.cli.queueing import QUEUEING
from omnifex.errors import InvalidRequest
from omnifex.modality import Modality

PLAIN = (bool, int, float, str)  # what typer reads by itself; pydantic reads the rest from text
PLATFORM: dict[str, Any] = {
    "model": Annotated[
        str | None,
        typer.Option(help="The model, by name.", rich_help_panel="Omnifex"),
    ],
    "out": Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="Where to put the file, or a folder.", rich_help_panel="Omnifex"
        ),
    ],
    "detach": options.Detach,
    "json": options.Json,
    "home": options.Home,
    **QUEUEING,
}
DEFAULTS: dict[str, Any] = {"detach": False, "json": False, **queueing.DEFAULTS}


def command_for(modality: Modality[Any]) -> Callable[..., None]:
    """A function whose signature typer reads: the prompt, the request's fields, the platform's."""

    def command(context: typer.Context, prompt: str, **given: Any) -> None:
        from omnifex.cli.making import make

        platform = {name: given.pop(name) for name in PLATFORM}
        fields = {"prompt": prompt} | {k: v for k, v in given.items() if said(context, k)}
        fields |= format_of(modality, platform["out"], fields)
        make(context, modality.name, fields, **platform)

    command.__signature__ = inspect.Signature(list(parameters(modality)))  # type: ignore[attr-defined]
    return command


def said(context: typer.Context, name: str) -> bool:
    """Whether the user gave this option; defaults are the request type's to know."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def parameters(modality: Modality[Any]) -> Iterator[inspect.Parameter]:
    fields = dict(modality.Request.model_fields)
    said = fields.pop("prompt")
    prompt = typer.Argument(help=said.description, show_default=False)
    by_place = inspect.Parameter.POSITIONAL_OR_KEYWORD
    by_name = inspect.Parameter.KEYWORD_ONLY
    yield inspect.Parameter("context", by_place, annotation=typer.Context)
    needed = inspect.Parameter.empty if said.is_required() else said.default
    yield inspect.Parameter("prompt", by_place, annotation=Annotated[str, prompt], default=needed)
    for name, field in fields.items():
        if name not in PLATFORM:
            default = field.default if isinstance(field.default, PLAIN) else None
            yield inspect.Parameter(name, by_name, annotation=option(name, field), default=default)
    for name, kind in PLATFORM.items():
        default = DEFAULTS.get(name)
        yield inspect.Parameter(name, by_name, annotation=kind, default=default)


def option(name: str, field: FieldInfo) -> Any:
    """The option of one field; its bounds are left to pydantic, whose sentences are ours."""
    kind, choices = kind_of(field.annotation)
    flag = "--" + name.replace("_", "-")
    shown = typer.Option(
        f"{flag}/--no-{flag[2:]}" if kind is bool else flag,
        help=field.description,
        metavar=f"[{'|'.join(choices)}]" if choices else None,
    )
    return Annotated[kind | None, shown]


def kind_of(annotation: Any) -> tuple[Any, list[str]]:
    """The type that typer is told, and the choices where there are only some."""
    origin = get_origin(annotation)
    if origin is Literal:
        return str, [str(choice) for choice in get_args(annotation)]
    if origin is Annotated:
        return kind_of(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return kind_of(next(kind for kind in get_args(annotation) if kind is not type(None)))
    if origin in (list, tuple, set):
        return list[str], []
    return (annotation if annotation in PLAIN else str), []


def format_of(modality: Modality[Any], out: Path | None, fields: dict[str, Any]) -> dict[str, str]:
    """The format that the output's name asks for; InvalidRequest where it cannot be had."""
    if out is None or out.is_dir() or not out.suffix:
        return {}
    wanted = known_format(modality, out.suffix.lower())
    if wanted is None:
        known = ", ".join(f".{name}" for name in modality.formats)
        raise InvalidRequest(f"{modality.name} cannot be written as {out}; it can be {known}.")
    free = "format" in modality.Request.model_fields
    given = fields.get("format", wanted if free else modality.default_format)
    if given != wanted:
        raise InvalidRequest(f"{out} would hold {given}; name it .{given}.")
    return {"format": wanted} if free else {}


def known_format(modality: Modality[Any], suffix: str) -> str | None:
    """The modality's own name for a suffix: `jpg` for .jpeg."""
    media_type, _ = mimetypes.guess_type(f"file{suffix}")
    own = {f".{name}": name for name in modality.formats}
    same = (name for name, kind in modality.formats.items() if kind == media_type)
    return own.get(suffix) or next(same, None)
