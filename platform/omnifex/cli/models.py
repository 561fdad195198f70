"""`omnifex models`: the model registry on the command line."""

from __future__ import annotations

import json as to_json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from omnifex.cli import options
from omnifex.cli.options import open_studio
from omnifex.cli.planning import plan
from omnifex.cli.styling import style

if TYPE_CHECKING:
    from omnifex_registry import Model

commands = typer.Typer(help="Models: list, search, add, show, plan, set, style, alias, remove.")
commands.command()(plan)
commands.command()(style)
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
    source: Annotated[
        str,
        typer.Argument(
            help="A folder or archive in the diffusers layout, a .safetensors or .gguf file, or "
            "the id of a model on the hub (org/name).",
            show_default=False,
        ),
    ],
    name: Annotated[
        str | None, typer.Option(help="What to call it.", show_default="the source's name")
    ] = None,
    family: Annotated[str | None, typer.Option(help="The family that it belongs to.")] = None,
    variant: Annotated[
        str | None, typer.Option(help="Which of several weight files: fp16, say.")
    ] = None,
    revision: Annotated[
        str | None, typer.Option(help="A branch, tag or commit of the hub's.")
    ] = None,
    file: Annotated[str | None, typer.Option(help="The one file to take from the hub.")] = None,
    base: Annotated[
        str | None,
        typer.Option(
            help="The model that a single file is a part or kind of, or has the image encoder of."
        ),
    ] = None,
    copy: Annotated[bool, typer.Option("--copy", help="Copy the files into the home.")] = False,
    update: Annotated[
        bool, typer.Option("--update", help="Let the name mean what is there now.")
    ] = False,
    accept_license: Annotated[
        bool, typer.Option("--accept-license", help="You have read the licence and accept it.")
    ] = False,
    home: options.Home = None,
) -> None:
    """Register a model. A folder stays where it is; all files are hashed."""
    with open_studio(context, home) as studio:
        model = studio.models.add(
            source,
            name=name,
            family=family,
            variant=variant,
            revision=revision,
            file=file,
            base=base,
            copy=copy,
            update=update,
            accept_license=accept_license,
        )
    if "licence" in model.source:
        typer.echo(f"note: it comes under {model.source['licence']}", err=True)
    typer.echo(f"{model.name}: {model.class_name}, {', '.join(model.components)}")


@commands.command()
def compose(
    context: typer.Context,
    name: Name,
    base: Annotated[str, typer.Argument(help="The model that begins.", show_default=False)],
    stages: Annotated[
        list[str], typer.Argument(help="Such as refiner=sdxl-refiner.", show_default=False)
    ],
    update: Annotated[
        bool, typer.Option("--update", help="In place of what has the name.")
    ] = False,
    home: options.Home = None,
) -> None:
    """Register a model of several stages, made of registered ones; nothing is copied."""
    named: dict[str, Any] = {stage: model or "" for stage, model in map(setting, stages)}
    with open_studio(context, home) as studio:
        model = studio.models.compose(name, base, **{**named, "update": update})
    typer.echo(f"{model.name}: {model.class_name}, {', '.join(model.components)}")


@commands.command()
def show(
    context: typer.Context, name: Name, home: options.Home = None, json: options.Json = False
) -> None:
    """A model's components, their sizes and the ids of their contents."""
    from omnifex.cli.show import model_page

    with open_studio(context, home) as studio:
        model = studio.models.show(name)
        users = studio.models.users(model)
    if json:
        typer.echo(to_json.dumps(model_object(model)))
    else:
        model_page(model, users)


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
    """Forget a model; of its files only those go that the home owns and no other model has."""
    with open_studio(context, home) as studio:
        unused = studio.models.remove(name)
    typer.echo(f"{name} is forgotten; {len(unused)} of its components belong to no other model")


@commands.command()
def verify(context: typer.Context, name: Name, home: options.Home = None) -> None:
    """Read all files of a model again: are they what was added?"""
    with open_studio(context, home) as studio:
        damaged = studio.models.verify(name)
        count = len(studio.models.show(name).components)
    for role, reason in damaged.items():
        typer.echo(f"damaged: {role}: {reason}", err=True)
    checked = f"{count} component{'s' if count > 1 else ''}"
    typer.echo(f"{checked}, {len(damaged) or 'none'} damaged")
    if damaged:
        raise typer.Exit(1)


@commands.command()
def alias(
    context: typer.Context,
    alias: Annotated[str, typer.Argument(help="The other name.", show_default=False)],
    name: Annotated[
        str | None, typer.Argument(help="The model; without it the alias goes.")
    ] = None,
    home: options.Home = None,
) -> None:
    """Give a model another name, which jobs resolve when they are submitted."""
    with open_studio(context, home) as studio:
        if name:
            typer.echo(f"{alias} is {studio.models.alias(alias, name).name} from now on")
        else:
            gone = studio.models.unalias(alias)
            typer.echo(f"{alias} is {'no alias any more' if gone else 'no alias'}")


@commands.command()
def search(
    word: Annotated[str, typer.Argument(help="In name, id, modality, licence or text.")] = "",
    json: options.Json = False,
) -> None:
    """Open models worth knowing, from a list that comes with Omnifex; no hub is asked."""
    from omnifex.cli.show import recommended_table
    from omnifex_registry.recommended import recommended

    found = recommended(word)
    if json:
        typer.echo(to_json.dumps({"models": [asdict(model) for model in found]}))
    else:
        recommended_table(found)


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
        "kind": model.kind,
        "version": model.version,
        "aliases": list(model.aliases),
        "source": dict(model.source),
        "path": str(model.path),
        "bytes": model.bytes,
        "settings": dict(model.settings),
        "styles": dict(model.styles),
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
