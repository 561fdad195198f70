"""`omnifex models`: the model registry on the command line."""

from __future__ import annotations

import json as to_json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from omnifex.cli import options
from omnifex.cli.options import open_studio

if TYPE_CHECKING:
    from omnifex_registry import Model

commands = typer.Typer(help="Models: list, add, show, set, remove.")
Name = Annotated[str, typer.Argument(help="The model's name.", show_default=False)]


@commands.callback(invoke_without_command=True)
def models(context: typer.Context, home: options.Home = None, json: options.Json = False) -> None:
    if context.invoked_subcommand is None:
        list_models(context, home=home, json=json)


@commands.command("list")
def list_models(
    context: typer.Context, home: options.Home = None, json: options.Json = False
) -> None:
    """All models that can be used."""
    from omnifex.cli.show import model_table

    with open_studio(context, home) as studio:
        found = studio.models.list()
    if json:
        typer.echo(to_json.dumps({"models": [model_object(model) for model in found]}))
    else:
        model_table(found, context.obj.models)


@commands.command()
def add(
    context: typer.Context,
    folder: Annotated[
        Path, typer.Argument(help="A model in the diffusers layout.", show_default=False)
    ],
    name: Annotated[
        str | None, typer.Option(help="What to call it.", show_default="the folder's name")
    ] = None,
    family: Annotated[str | None, typer.Option(help="The family that it belongs to.")] = None,
    home: options.Home = None,
) -> None:
    """Register a model where it lies; its files are hashed, not copied."""
    with open_studio(context, home) as studio:
        model = studio.models.add(folder, name=name, family=family)
    typer.echo(f"{model.name}: {model.class_name}, {', '.join(model.components)}")


@commands.command()
def show(
    context: typer.Context, name: Name, home: options.Home = None, json: options.Json = False
) -> None:
    """A model's components, their sizes and the ids of their contents."""
    from omnifex.cli.show import model_page

    with open_studio(context, home) as studio:
        model = studio.models.show(name)
    if json:
        typer.echo(to_json.dumps(model_object(model)))
    else:
        model_page(model)


@commands.command("set")
def set_settings(
    context: typer.Context,
    name: Name,
    settings: Annotated[
        list[str], typer.Argument(help="Such as attention=flash or graphs=on; cache= unsets it.")
    ],
    home: options.Home = None,
) -> None:
    """Say how a model's backbone is made fast; docs/engine.md says what each setting brings."""
    with open_studio(context, home) as studio:
        model = studio.models.set(name, **dict(map(setting, settings)))
    typer.echo(f"{model.name}: {settings_line(model)}")


@commands.command()
def remove(context: typer.Context, name: Name, home: options.Home = None) -> None:
    """Forget a model; its files stay where they are."""
    with open_studio(context, home) as studio:
        unused = studio.models.remove(name)
    typer.echo(f"{name} is forgotten; {len(unused)} of its components belong to no other model")


def setting(text: str) -> tuple[str, str | None]:
    name, _, value = text.partition("=")
    return name, value or None


def settings_line(model: Model) -> str:
    said = (f"{name}={value}" for name, value in model.settings.items())
    return " ".join(said) or "no settings"


def model_object(model: Model) -> dict[str, Any]:
    return {
        "name": model.name,
        "class_name": model.class_name,
        "family": model.family,
        "path": str(model.path),
        "bytes": model.bytes,
        "settings": dict(model.settings),
        "components": {
            role: {
                "id": part.id,
                "kind": str(part.kind) if part.kind else None,
                "class_name": f"{part.library}.{part.class_name}",
                "bytes": part.bytes,
                "parameters": part.parameters,
            }
            for role, part in model.components.items()
        },
    }
