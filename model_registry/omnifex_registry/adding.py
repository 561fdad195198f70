"""Adding a model in whatever form people have it: a hub's id, a folder, an archive, one file."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omnifex_registry.config import read_config
from omnifex_registry.errors import (
    BadModelFolder,
    LicenceNotAccepted,
    RevisionChanged,
    UnknownModel,
)
from omnifex_registry.layout import INDEX, read_layout
from omnifex_registry.records import Model
from omnifex_registry.registry import Registry, default_name
from omnifex_registry.sources.archives import is_archive, unpack
from omnifex_registry.sources.folder import copy_model
from omnifex_registry.sources.hub import Hub, HubModel, look_up
from omnifex_registry.sources.hub_files import HubFile, component_files, model_files
from omnifex_registry.sources.pretrained import is_pretrained, part_out
from omnifex_registry.sources.transfer import fetch

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
FILES = (".safetensors", ".gguf")


@dataclass(frozen=True)
class Wanted:
    """How a model is to be added.

    `file` is the one to take of a hub's repository; `base` the model that a single file is a part
    of, or whose image encoder an IP-Adapter looks through; `copy` lets the home own the files;
    `update` lets a name mean the hub's newer revision.
    """

    name: str | None = None
    family: str | None = None
    variant: str | None = None
    revision: str | None = None
    file: str | None = None
    base: str | None = None
    copy: bool = False
    update: bool = False
    accept_license: bool = False
    hub: Hub = field(default_factory=Hub)
    check: Callable[[Model], None] | None = None


def add(registry: Registry, source: Path | str, wanted: Wanted) -> Model:
    """The registered model; nothing is left half-done where this raises."""
    path = Path(source).expanduser()
    if not path.exists() and HUB_ID.fullmatch(str(source)):
        return from_hub(registry, str(source), wanted)
    if is_archive(path):
        return from_archive(registry, path, wanted)
    if path.is_file() and path.suffix in FILES:
        from omnifex_registry.sources.single_file import from_file

        return from_file(registry, path, wanted)
    if is_pretrained(path):
        return from_pretrained(registry, path, wanted)
    if wanted.copy:
        return from_folder(registry, path, wanted, {})
    return registry.add(
        path,
        name=wanted.name,
        family=wanted.family,
        variant=wanted.variant,
        check=wanted.check,
        keep=wanted.update,
    )


def from_archive(registry: Registry, archive: Path, wanted: Wanted) -> Model:
    with registry.owned.staging() as staged:
        folder = unpack(archive, staged)
        name = wanted.name or default_name(Path(archive.name.partition(".")[0]))
        return owned_model(registry, folder, name, wanted, {"archive": archive.name})


def from_folder(
    registry: Registry, folder: Path, wanted: Wanted, source: Mapping[str, Any]
) -> Model:
    """A copy of a folder that lies elsewhere."""
    try:
        layout = read_layout(folder)
        with registry.owned.staging() as staged:
            copy_model(layout, wanted.variant, staged)
            name = wanted.name or default_name(layout.path)
            return owned_model(registry, staged, name, wanted, source)
    except OSError as error:
        raise BadModelFolder(f"{folder} cannot be copied ({error}); check it.") from error


def from_pretrained(registry: Registry, folder: Path, wanted: Wanted) -> Model:
    """A model as transformers saves it, whose files stay where they are unless they are copied."""
    try:
        with registry.owned.staging() as staged:
            part_out(folder, wanted.variant, staged, copy=wanted.copy)
            name = wanted.name or default_name(folder.resolve())
            return owned_model(registry, staged, name, wanted, {"folder": str(folder.resolve())})
    except OSError as error:
        raise BadModelFolder(f"{folder} cannot be added ({error}); check it.") from error


def owned_model(
    registry: Registry, staged: Path, name: str, wanted: Wanted, source: Mapping[str, Any]
) -> Model:
    """Register a staged folder, and move it to its place among the home's own."""
    others = registry.list()
    return registry.add(
        staged,
        name=name,
        family=wanted.family,
        source=source,
        keep=wanted.update,
        check=wanted.check,
        place=lambda model: registry.owned.take_in(model, others),
    )


# From a hub


def from_hub(registry: Registry, repo: str, wanted: Wanted) -> Model:
    """A repository at one commit: its files in the hub's cache, linked from the home."""
    name = wanted.name or default_name(Path(repo))
    known = registered(registry, name)
    found = look_up(wanted.hub, repo, wanted.revision)
    if known and same_source(known, found, wanted):
        return known
    before = known.source.get("revision", "") if known and known.source.get("hub") == repo else ""
    if before not in ("", found.commit) and not wanted.update:
        raise RevisionChanged(name, repo, before, found.commit)
    if not wanted.accept_license:
        raise LicenceNotAccepted(repo, found.licence)
    source = {
        "hub": repo,
        "revision": found.commit,
        "licence": found.licence,
        "accepted_at": time.time_ns() // 1_000_000,
        **({"file": wanted.file} if wanted.file else {}),
    }
    if lone := lone_file(found, wanted):
        from omnifex_registry.sources.image_encoders import beside
        from omnifex_registry.sources.single_file import from_file

        (file,) = fetch(found, [lone]).values()
        fetch(found, beside(found, lone, file))
        return from_file(registry, file, wanted, name=name, source=source)
    files = fetch(found, chosen_files(found, wanted.variant))
    with registry.owned.staging() as staged:
        link_files(files, staged)
        if is_pretrained(staged):
            return parted(registry, staged, name, wanted, source)
        return owned_model(registry, staged, name, wanted, source)


def parted(
    registry: Registry, linked: Path, name: str, wanted: Wanted, source: Mapping[str, Any]
) -> Model:
    """A repository that is one folder of transformers."""
    with registry.owned.staging() as staged:
        part_out(linked, wanted.variant, staged, copy=False)
        return owned_model(registry, staged, name, wanted, source)


def registered(registry: Registry, name: str) -> Model | None:
    try:
        return registry.show(name)
    except UnknownModel:
        return None


def same_source(known: Model, found: HubModel, wanted: Wanted) -> bool:
    source = known.source
    here = (source.get("hub"), source.get("revision"), source.get("file"), known.variant)
    return known.path.exists() and here == (found.repo, found.commit, wanted.file, wanted.variant)


def lone_file(found: HubModel, wanted: Wanted) -> HubFile | None:
    """The file that was asked for, or the only one of a repository without a model's layout."""
    listed = {file.path: file for file in found.files}
    if wanted.file:
        if wanted.file not in listed or not wanted.file.endswith(FILES):
            raise BadModelFolder(
                f"{found.repo} has no weight file {wanted.file!r}; it has "
                f"{', '.join(path for path in listed if path.endswith(FILES)) or 'none'}."
            )
        return listed[wanted.file]
    if INDEX in listed or "config.json" in listed:
        return None
    weights = [file for file in found.files if file.path.endswith(FILES)]
    return weights[0] if len(weights) == 1 else None


def chosen_files(found: HubModel, variant: str | None) -> list[HubFile]:
    listed = {file.path: file for file in found.files}
    if INDEX in listed:
        index = fetch(found, [listed[INDEX]])[INDEX]
        return model_files(found.repo, found.files, read_config(index), variant)
    if "config.json" in listed:
        here = [file for file in found.files if file.folder == "."]
        return list(component_files(found.repo, here, variant))
    weights = ", ".join(path for path in listed if path.endswith(FILES))
    pickles = [file for file in found.files if file.path.endswith((".bin", ".ckpt", ".pt", ".pth"))]
    if pickles and not weights:
        list(component_files(found.repo, pickles, variant))
    raise BadModelFolder(
        f"{found.repo} has no {INDEX}; "
        + (f"choose one of its files with --file: {weights}." if weights else "it is no model.")
    )


def link_files(files: Mapping[str, Path], place: Path) -> None:
    """A folder of links to where the cache has the files; no more of the repository is seen."""
    for path, file in files.items():
        target = place / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".json" and target.parent == place:
            target.write_bytes(file.read_bytes())  # the index is the home's own
        else:
            target.symlink_to(file.resolve())
