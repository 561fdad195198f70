"""A model's files into a folder of the home: copied, or taken from a model that is there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from omnifex_registry.layout import INDEX, Layout, Slot
from omnifex_registry.records import Component, Model
from omnifex_registry.sanity import refuse_code
from omnifex_registry.sources.owned import Owned, check_space, link_file
from omnifex_registry.weights import read_weights


def copy_model(layout: Layout, variant: str | None, place: Path) -> None:
    """Copy what a model is made of, and nothing else that lies in its folder."""
    for slot in layout.slots:
        refuse_code(slot)
    files = [file for slot in layout.slots for file in slot_files(slot, variant)]
    check_space(place, sum(file.stat().st_size for file in files))
    for slot in layout.slots:
        target = place / slot.role
        target.mkdir()
        for file in slot_files(slot, variant):
            shutil.copyfile(file, target / file.name)
    write_index(place, layout.config, (slot.role for slot in layout.slots))


def slot_files(slot: Slot, variant: str | None) -> Iterator[Path]:
    """The chosen weights of a component, and the small files beside them."""
    weights = read_weights(slot.path, slot.library, variant)
    chosen = set(weights.shards) if weights else set()
    for file in sorted(slot.path.iterdir()):
        heavy = file.suffix in (".safetensors", ".gguf")
        if file.is_file() and (file in chosen or not heavy) and file.name[0] != ".":
            yield file


def take_over(component: Component, place: Path, owned: Owned) -> None:
    """The component of a model that is there: linked, not copied, wherever it lies."""
    if not owned.has(component.path):
        (place / component.role).symlink_to(component.path, target_is_directory=True)
        return
    target = place / component.role
    target.mkdir()
    for file in component.path.iterdir():
        link_file(file, target / file.name)


def write_index(place: Path, config: Mapping[str, Any], roles: Iterator[str]) -> None:
    """model_index.json, with every component in the folder of its role."""
    own = {role: list(config[role])[:2] for role in roles}
    (place / INDEX).write_text(json.dumps({**config, **own}, indent=2), encoding="utf-8")


def rest_of(base: Model, roles: set[str], place: Path, owned: Owned) -> None:
    """All components of another model but those in `roles`."""
    for role, part in base.components.items():
        if role not in roles:
            take_over(part, place, owned)
