"""The models whose files the home owns: one copy on disk of each distinct component.

Each is an ordinary folder in the diffusers layout, so other programs can use it too. Equal
components are hard links to one file: the file system counts who uses it, and removing a model's
folder frees exactly what no other model has.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from omnifex_registry.errors import NoSpace
from omnifex_registry.records import Component, Model
from omnifex_registry.weights import read_weights

FOLDER = "models"
STAGED = ".new-"
PARTED = ".old-"


class Owned:
    """The folder `models` of a home."""

    def __init__(self, home: Path) -> None:
        self.folder = home / FOLDER

    def has(self, path: Path) -> bool:
        return path.resolve().is_relative_to(self.folder.resolve())

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """A folder for a model in the making; gone afterwards, unless `take_in` moved it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._sweep()
        staged = Path(tempfile.mkdtemp(prefix=f"{STAGED}{os.getpid()}-", dir=self.folder))
        try:
            yield staged
        finally:
            shutil.rmtree(staged, ignore_errors=True)

    def take_in(self, model: Model, others: Iterable[Model]) -> Path:
        """Make a staged model one of the home's, in one step; what others have is not kept twice.

        The folder is named by its contents: a model that is there already stays as it is.
        """
        place = self.folder / f"{model.name}-{model.version}"
        if place.exists():
            return place
        kept = {
            part.id: part
            for other in others
            if self.has(other.path)
            for part in other.components.values()
        }
        for part in model.components.values():
            kept_part = kept.setdefault(part.id, part)
            if kept_part is not part:
                share(kept_part, part)
        model.path.rename(place)
        place.chmod(0o755)  # a temporary folder is its maker's alone
        return place

    def discard(self, path: Path) -> None:
        """Delete a model's folder, out of sight at once."""
        if not self.has(path) or not path.exists():
            return
        parted = Path(tempfile.mkdtemp(prefix=f"{PARTED}{os.getpid()}-", dir=self.folder))
        path.rename(parted / path.name)
        shutil.rmtree(parted, ignore_errors=True)

    def _sweep(self) -> None:
        """Delete what processes left that were ended in the middle."""
        for path in self.folder.glob(".*-*-*"):
            owner = path.name.split("-")[1]
            if owner.isdigit() and not psutil.pid_exists(int(owner)):
                shutil.rmtree(path, ignore_errors=True)


def check_space(folder: Path, size: int) -> None:
    """NoSpace where the disk of a folder has not that many bytes free."""
    free = shutil.disk_usage(folder).free
    if size > free:
        raise NoSpace(folder, size, free)


def share(kept: Component, copy: Component) -> None:
    """Put the files of an equal component in place of the copy's; its config may stay its own."""
    try:
        theirs, ours = files_of(kept), files_of(copy)
        linked = [(file, copy.path / f".{file.name}") for file in theirs]
        for file, link in linked:
            link_file(file, link)
    except OSError:  # a file system without hard links, or a model that just goes
        return
    for file in ours:
        file.unlink()
    for file, link in linked:
        link.rename(copy.path / file.name)


def files_of(component: Component) -> list[Path]:
    """The files that make it what it is: its weights, else everything."""
    weights = None
    if not component.weightless:
        weights = read_weights(component.path, component.library, component.variant)
    if weights:
        return [*weights.shards, *component.path.glob("*.safetensors.index*.json")]
    return sorted(path for path in component.path.iterdir() if path.is_file())


def link_file(file: Path, place: Path) -> None:
    """A hard link; of a link into the hub's cache another such link."""
    if file.is_symlink():
        place.symlink_to(file.readlink())
    else:
        os.link(file, place)
