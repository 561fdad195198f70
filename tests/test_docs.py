"""The documentation against the code: links, commands, code blocks and figures."""

import ast
import importlib.util
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import typer

from omnifex.cli.app import app
from omnifex.plugins import PluginHost

ROOT = Path(__file__).parents[1]
SPRITE = ROOT / "examples" / "omnifex_sprite"
README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
SOURCES = "platform|model_registry|jobs|plugins|recipes|benchmarks|docs|examples|tests"


def blocks(page: Path, language: str) -> list[str]:
    return [code for kind, code in FENCE.findall(page.read_text()) if kind == language]


def spans(page: Path) -> list[str]:
    """What stands between single backticks, on one line."""
    prose = FENCE.sub("", page.read_text())
    return [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", prose)]


def commands(first: str) -> Iterator[str]:
    """The commands of all pages that begin with a word, in blocks and in running text."""
    for page in PAGES:
        lines = "".join(blocks(page, "console") + blocks(page, "bash")).splitlines()
        yield from (line for line in chain(lines, spans(page)) if line.startswith(f"{first} "))


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def leads_somewhere(link: str, page: Path) -> bool:
    place, _, anchor = link.partition("#")
    target = page.parent / place if place else page
    if not anchor or not target.exists():
        return target.exists()
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", target.read_text()), re.M)
    return anchor in map(slug, headings)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_lead_somewhere(page: Path) -> None:
    links = LINK.findall(re.sub(r"`[^`]+`", "", FENCE.sub("", page.read_text())))
    own = [link for link in links if not link.startswith("http")]
    assert [link for link in own if not leads_somewhere(link, page)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_a_page_names_are_there(page: Path) -> None:
    named = [span for span in spans(page) if re.fullmatch(rf"({SOURCES})/[\w./]*", span)]
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_index_leads_to_every_page() -> None:
    listed = set(LINK.findall((ROOT / "docs" / "index.md").read_text()))
    assert {page.name for page in (ROOT / "docs").glob("*.md")} - listed == {"index.md"}


@pytest.fixture(scope="module")
def command_line() -> Any:
    """All commands, with that of the sprite plugin."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SPRITE))
        sprite = importlib.import_module("omnifex_sprite")
    return typer.main.get_command(app(PluginHost([sprite])))


@pytest.mark.parametrize("command", dict.fromkeys(commands("omnifex")))
def test_the_command_line_takes_what_the_pages_say(command: str, command_line: Any) -> None:
    words = [w for w in shlex.split(command, comments=True)[1:] if w not in ("COMMAND", "--help")]
    found = command_line
    while words and words[0] in getattr(found, "commands", {}):
        found = found.commands[words.pop(0)]
    if hasattr(found, "commands"):
        assert words == []  # not the name of a command
    else:
        found.make_context("omnifex", words)


def test_the_makefile_has_the_targets_that_the_pages_name() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    named = {shlex.split(command, comments=True)[1] for command in commands("make")}
    assert {"demo", "test"} <= named <= targets


def test_the_modules_that_the_pages_run_are_there() -> None:
    named = {re.split(r"\s+", command)[2] for command in commands("python -m")}
    assert named
    assert [name for name in named if importlib.util.find_spec(name) is None] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_on_a_page_is_python(page: Path) -> None:
    for code in blocks(page, "python"):
        if not code.startswith(">>>"):  # a session, which is tested as such
            ast.parse(code)


def test_the_screenful_of_python_runs(tmp_path: Path) -> None:
    screenful, _ = blocks(README, "python")
    command = [sys.executable, "-c", screenful]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=280)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("blocked") or ran.stdout.startswith("queued")
    assert (tmp_path / "circle.png").stat().st_size > 0


def test_the_plugin_in_the_readme_is_the_one_in_the_examples() -> None:
    _, plugin = blocks(README, "python")
    assert plugin == (SPRITE / "omnifex_sprite" / "__init__.py").read_text()
    (entry,) = blocks(README, "toml")
    assert entry in (SPRITE / "pyproject.toml").read_text()


def test_the_readme_shows_what_the_pictures_were_asked_for() -> None:
    from recipes.pictures import PROMPTS

    shown = " ".join(README.read_text().split())
    assert [p for prompts in PROMPTS.values() for p in prompts if f'"{p}"' not in shown] == []


def test_the_sizes_of_the_built_in_models_are_those_of_their_recipes() -> None:
    from recipes.diffusion import Diffusion
    from recipes.flow import Flow
    from recipes.world.modalities import WORLDS

    modules = {"transformer": Flow().backbone, "unet": Diffusion().backbone}
    modules |= {f"{name} autoencoder": world.new_autoencoder() for name, world in WORLDS.items()}
    millions = {
        name: f"{sum(p.numel() for p in module.parameters()) / 1e6:.1f}"
        for name, module in modules.items()
    }
    text = (ROOT / "docs" / "prism.md").read_text()
    assert dict(re.findall(r"^\| ([\w ]+?) \| .* \| ([\d.]+) M \|$", text, re.M)) == millions


def test_the_changelog_knows_the_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"## [{version}]" in (ROOT / "CHANGELOG.md").read_text()
