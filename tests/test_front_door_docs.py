"""The pages on the front doors name all that there is."""

import re
from pathlib import Path

import pytest
import typer
from studio_cases import tiles

from omnifex.aio import AsyncJob, AsyncStudio
from omnifex.artifact import Artifact
from omnifex.cli.app import app
from omnifex.job import Job
from omnifex.studio import Studio

DOCS = Path(__file__).parent.parent / "docs"


def commands() -> list[str]:
    top = typer.main.get_command(app(tiles()))
    found = []
    for name, command in top.commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", {})
        found += [f"{name} {each}" for each in inner] if inner else [name]
    return found


def test_every_command_is_described() -> None:
    page = (DOCS / "cli.md").read_text()
    missing = [name for name in commands() if f"omnifex {name}" not in page]
    assert missing == ["tile"]


@pytest.mark.parametrize("kind", [Studio, Job, Artifact, AsyncJob, AsyncStudio])
def test_every_public_member_is_described(kind: type) -> None:
    page = (DOCS / "python.md").read_text()
    public = [name for name in vars(kind) if not name.startswith("_")]
    assert public
    assert [name for name in public if not re.search(rf"\b{name}\b", page)] == []
