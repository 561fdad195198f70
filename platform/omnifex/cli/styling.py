"""`omnifex models style`: a model's named presets."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from omnifex.cli import options
from omnifex.cli.options import open_studio


def style(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="The model's name.", show_default=False)],
    name: Annotated[str | None, typer.Argument(help="The style; without it all are shown.")] = None,
    prompt: Annotated[str | None, typer.Option(help="Words around {prompt}, or behind it.")] = None,
    negative_prompt: Annotated[
        str | None, typer.Option(help="Words behind the negative prompt.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="For requests without.")] = None,
    guidance: Annotated[float | None, typer.Option(help="For requests without.")] = None,
    sampler: Annotated[str | None, typer.Option(help="For requests without.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take the style away.")] = False,
    home: options.Home = None,
) -> None:
    """Give a model a style, which requests choose by --style; or show or remove those it has."""
    said: dict[str, Any] = {
        "prompt": prompt,
        "negative_prompt": negative_prompt,
        "steps": steps,
        "guidance": guidance,
        "sampler": sampler,
    }
    with open_studio(context, home) as studio:
        if name is None:
            for known, values in studio.models.show(model).styles.items():
                typer.echo(line(known, values))
        elif remove:
            gone = studio.models.unstyle(model, name)
            typer.echo(f"{name} is {'no style any more' if gone else 'no style'} of {model}")
        else:
            typer.echo(line(name, studio.models.style(model, name, **said).styles[name]))


def line(name: str, values: Any) -> str:
    return f"{name}: " + "  ".join(f"{key}={value}" for key, value in values.items())
