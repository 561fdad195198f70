"""The command line in this process, with the tiles plugin installed, for the tests."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from studio_cases import install_tiles

from omnifex.cli.app import run

Cli = Callable[..., tuple[int, str, str]]


def tiles_cli(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Cli:
    """`code, out, err = cli("tile", "red")`."""
    monkeypatch.syspath_prepend(str(install_tiles(tmp_path / "installed")))
    monkeypatch.setenv("OMNIFEX_PLUGINS", "tile")
    monkeypatch.setenv("COLUMNS", "120")

    def call(*arguments: object) -> tuple[int, str, str]:
        code = run([str(argument) for argument in arguments])
        return code, *capfd.readouterr()

    return call


def job_of(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    return found
