"""`omnifex inspect`: where a file came from."""

from __future__ import annotations

import json as to_json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from omnifex.cli import options
from omnifex.cli.options import open_studio

if TYPE_CHECKING:
    from omnifex.inspection import Inspection, Signature


def inspect(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="Any file.", show_default=False)],
    home: options.Home = None,
    json: options.Json = False,
) -> None:
    """What a file says of its making; exits 1 where it was changed since it was signed."""
    with open_studio(context, home) as studio:
        found = studio.inspect(file)
    if json:
        typer.echo(to_json.dumps(found.to_json()))
    else:
        for line in page(found):
            typer.echo(line)
    if found.changed:
        raise typer.Exit(1)


def page(found: Inspection) -> list[str]:
    """A fact a line."""
    facts = {
        "file": found.path,
        "type": found.media_type,
        "sha256": found.sha256,
        "made by": found.tool or "nobody says",
        **found.provenance,
        "job": found.job,
        "signature": told(found.signature) if found.signature else "none",
    }
    return list(lines(facts))


def lines(facts: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """A line for each fact that says something, and those within it below it."""
    for name, value in facts.items():
        if isinstance(value, Mapping) and value:
            yield f"{indent}{name}"
            yield from lines(value, indent + "  ")
        elif value not in (None, "", [], {}):
            yield f"{indent + name:<24} {value}"


def told(signature: Signature) -> str:
    words = {
        "trusted": "unchanged, signed by this home",
        "valid": "unchanged, signed by somebody that nobody here vouches for",
        "broken": "BROKEN: the file was changed after it was signed",
    }
    by = f" ({signature.signer})" if signature.signer else ""
    faults = f"; {', '.join(signature.faults)}" if signature.faults else ""
    return words[signature.state] + by + faults
