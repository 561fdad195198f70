"""Each example as a user runs it: a process of its own, in an empty folder, with an empty home."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
SPRITE = EXAMPLES / "omnifex_sprite"

# What it prints, and the files that it leaves.
ENDS: dict[str, tuple[str, set[str]]] = {
    "first_picture": (r"circle.png image/png [0-9a-f]{12}\n.* s for 20 steps\n", {"circle.png"}),
    "all_modalities": (
        r"image.png .*\nvideo.mp4 .*\naudio.wav .*\nmesh.glb .*\n",
        {"image.png", "video.mp4", "audio.wav", "mesh.glb"},
    ),
    "progress_and_cancel": (
        r"(?s).* progress sampling \d.* was canceled: seen enough.\n"
        r"canceled after \d+ of 1000 steps\n",
        set(),
    ),
    "picture_from_picture": (r"the heart is blocked\nheart.png depends on \w{26}\n", {"heart.png"}),
    "search_jobs": (
        r"(\w{26} stars a (blue|green|red) star .*\n){3}\w{26} not needed after all\n"
        r"\{'succeeded': 3, 'canceled': 1\}\nsteps is -1, .*\n",
        set(),
    ),
    "replay_and_verify": (
        r"same bytes from seed \d+\n1 file checked, 0 damaged, intact: True\n",
        set(),
    ),
    "diffusers_pipeline": (
        r"cat.png image/png\ndog.png image/png\nballoon.png image/png\n",
        {"cat.png", "dog.png", "balloon.png"},
    ),
    "keep_to_the_lines": (r"house.png canny-net\n", {"house.png"}),
    "best_of_several": (
        r"(star-\d.png: seed \d+, score [\d.e+]+\n){2}"
        r"best of 3 by sharpness: (seed \d+ [\d.e+]+[,.][ \n]){3}",
        {"star-1.png", "star-2.png"},
    ),
    "async_studio": (r"(a (red|green|blue) ring .*: [\d,]+ bytes\n){3}", set()),
    "submit_from_here_work_there": (
        r"queued, and nobody is there to work\nmoon.png, and torch is not loaded here\n",
        {"moon.png"},
    ),
}


def test_every_example_is_run() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(ENDS)


@pytest.mark.parametrize("name", ENDS)
def test_an_example_does_what_it_says(name: str, tmp_path: Path) -> None:
    ran = run(sys.executable, str(EXAMPLES / f"{name}.py"), folder=tmp_path)
    said, files = ENDS[name]
    assert ran.returncode == 0, ran.stderr
    assert re.fullmatch(said, ran.stdout), ran.stdout
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == files


@pytest.fixture
def sprites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sprite package on the path, with the metadata that pip would write."""
    project = tomllib.loads((SPRITE / "pyproject.toml").read_text())["project"]
    info = tmp_path / "installed" / f"omnifex_sprite-{project['version']}.dist-info"
    info.mkdir(parents=True)
    about = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    points = [f"{name} = {module}\n" for name, module in project["entry-points"]["omnifex"].items()]
    (info / "METADATA").write_text(about)
    (info / "entry_points.txt").write_text("[omnifex]\n" + "".join(points))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(info.parent), str(SPRITE)]))


@pytest.mark.usefixtures("sprites")
def test_a_strangers_modality_has_its_command(tmp_path: Path) -> None:
    command = ("omnifex", "sprite", "a ghost", "--seed", "7", "--out", "ghost.png")
    ran = run(sys.executable, "-m", *command, folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "ghost.png\n"
    assert ran.stderr == "note: the prompt names no colour; the sprite is white.\n"
    assert (tmp_path / "ghost.png").read_bytes()[:4] == b"\x89PNG"
    listed = run(sys.executable, "-m", "omnifex", "plugins", folder=tmp_path).stdout
    assert "sprite 0.1.0  modalities sprite; families sprite; models sprite-toy\n" in listed


@pytest.mark.usefixtures("sprites")
def test_a_strangers_plugin_passes_its_own_tests_and_the_contracts(tmp_path: Path) -> None:
    command = ("pytest", "-p", "no:cacheprovider", str(SPRITE / "tests"))
    ran = run(sys.executable, "-m", *command, "--omnifex-plugin", "sprite", folder=tmp_path)
    assert ran.returncode == 0, ran.stdout
    assert "13 passed" in ran.stdout


def run(*command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=280)


def test_a_family_of_ones_own_takes_no_more_than_40_lines() -> None:
    parts = ast.parse((EXAMPLES / "diffusers_pipeline.py").read_text()).body
    family = [
        part for part in parts if isinstance(part, ast.ClassDef | ast.Import | ast.ImportFrom)
    ]
    assert len(family) == 6
    assert sum((part.end_lineno or 0) - part.lineno + 1 for part in family) <= 40
