"""Studios with the tiles plugin, in this process and in others, for the tests."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import tiles_plugin

from omnifex.home import Home, open_home
from omnifex.plugins import PluginHost
from omnifex.studio import Studio

TESTS = Path(__file__).parent


def tiles() -> PluginHost:
    """The tiles plugin alone."""
    return PluginHost([tiles_plugin], entry_points=False)


def open_tiles(home: Path | None = None, **options: object) -> Studio:
    return Studio(home, plugins=tiles(), devices=["cpu"], **options)  # type: ignore[arg-type]


def copy_model(folder: Path, **config: object) -> Path:
    """The tiles model as a folder of the test's own; `config` makes it another model."""
    (folder / "backbone").mkdir(parents=True)
    shutil.copy(tiles_plugin.MODEL / "model_index.json", folder)
    (folder / "backbone" / "config.json").write_text(json.dumps(config))
    return folder


def install_tiles(folder: Path) -> Path:
    """A folder that, on the path, has the tiles plugin installed by an entry point."""
    info = folder / "tiles_plugin-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tiles-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[omnifex]\ntile = tiles_plugin\n")
    return folder


@contextmanager
def process(*command: str, path: Sequence[Path] = (TESTS,)) -> Iterator[subprocess.Popen[str]]:
    """A Python process that finds the tests' plugins; it does not outlive the test."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([*map(str, path), os.environ.get("PYTHONPATH", "")]),
        "OMNIFEX_PLUGINS": "tile",
        "OMP_NUM_THREADS": "1",
    }
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, *command], env=environment, text=True, **pipes) as child:
        try:
            yield child
        finally:
            child.kill()


def until(condition: Callable[[], object], seconds: float = 120.0) -> None:
    """Wait for another thread or process; fails the test where it never comes."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)


def open_tiles_home(folder: Path) -> Home:
    """A home with the tiles plugin, as a device's process opens it."""
    return open_home(folder, tiles())
