"""`omnifex models plan`: what a model will take, before it is loaded or even fetched."""

from __future__ import annotations

import json as to_json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from omnifex.cli import options
from omnifex.cli.options import open_studio
from omnifex.errors import InvalidRequest

if TYPE_CHECKING:
    from omnifex.planning import Way
    from omnifex_registry.sizing import Size

DTYPES = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}


def plan(
    context: typer.Context,
    model: Annotated[
        str,
        typer.Argument(
            help="A model, a folder with its configs, or the shape of one: sdxl, flux, wan-14b.",
            show_default=False,
        ),
    ],
    device_memory: Annotated[
        str | None, typer.Option("--device-memory", help="Of the device: 24GB, say.")
    ] = None,
    dtype: Annotated[str, typer.Option(help="bf16, fp16 or fp32.")] = "bf16",
    reserve: Annotated[str, typer.Option(help="For what calls need beside the weights.")] = "2GB",
    home: options.Home = None,
    json: options.Json = False,
) -> None:
    """Bytes of each component, and ways to run it on a device; no weights are read."""
    import torch

    from omnifex.memory import checked_memory
    from omnifex.planning import ways
    from omnifex_registry.sizing import as_object, sizes_of

    if dtype not in DTYPES:
        raise InvalidRequest(f"dtype is {dtype!r}, but must be one of {', '.join(DTYPES)}.")
    kept, memory = checked_memory(reserve) or 0, checked_memory(device_memory)
    sizes = sizes_of(folder_of(context, model, home), getattr(torch, DTYPES[dtype]))
    found = ways(sizes)
    if json:
        planned = [{**asdict(way), "fits": fits(way, memory, kept)} for way in found]
        typer.echo(to_json.dumps({"components": [*map(as_object, sizes)], "ways": planned}))
    else:
        tables(sizes, found, memory, kept)


def folder_of(context: typer.Context, model: str, home: str | None) -> Path:
    """A folder as it is, a shape that comes along, or a registered model's folder."""
    from omnifex_registry import UnknownModel
    from omnifex_registry.sizing import SHAPES, shapes

    if (Path(model) / "model_index.json").is_file():
        return Path(model)
    with open_studio(context, home) as studio:
        try:
            return studio.models.show(model).path
        except UnknownModel:
            if model in shapes():
                return SHAPES / model
            raise


def fits(way: Way, memory: int | None, reserve: int) -> bool | None:
    return None if memory is None else way.fits(memory, reserve)


def tables(sizes: list[Size], found: list[Way], memory: int | None, reserve: int) -> None:
    from rich.console import Console
    from rich.table import Table

    from omnifex.cli.show import size

    parts = Table("component", "class", "parameters", "bytes", "int8", "int4", box=None)
    for part in sizes:
        fewer = [size(count) for count in part.quantised.values()]
        parameters = f"{part.parameters / 1e9:.3f} B"
        parts.add_row(part.role, part.class_name, parameters, size(part.bytes), *fewer)
    plans = Table("weights", "on the device", "in host memory", "", "settings", box=None)
    for way in found:
        said = {None: "", True: "[green]fits[/]", False: "[red]too much[/]"}[
            fits(way, memory, reserve)
        ]
        plans.add_row(way.name, size(way.device), size(way.host), said, way.settings)
    console = Console()
    console.print(parts)
    console.print()
    console.print(plans)
    if memory is not None:
        left = f"{size(memory)} with {size(reserve)} kept for what calls need beside the weights"
        console.print(left, style="dim")
