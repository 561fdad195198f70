"""The image encoder of an IP-Adapter: kept in a folder beside its file, or a registered model's."""

from __future__ import annotations

import json
import shutil
from pathlib import Path, PurePosixPath

from omnifex_registry.config import read_config
from omnifex_registry.errors import BadModelFolder
from omnifex_registry.headers import read_header
from omnifex_registry.layout import INDEX, Slot
from omnifex_registry.registry import Registry
from omnifex_registry.sanity import refuse_code
from omnifex_registry.sources.adapters import adapter_of
from omnifex_registry.sources.folder import slot_files, take_over
from omnifex_registry.sources.hub import HubModel
from omnifex_registry.sources.hub_files import HubFile, component_files

ROLE, LIBRARY = "image_encoder", "transformers"


def join(path: Path, base: str | None, registry: Registry, place: Path) -> None:
    """Give the adapter staged in `place` the encoder of its base, or that beside its file."""
    beside = path.parent / ROLE
    if base is not None:
        class_name = taken_over(base, registry, place)
    elif (beside / "config.json").is_file():
        class_name = copied(beside, place)
    else:
        return
    index = read_config(place / INDEX)
    index[ROLE] = [LIBRARY, class_name]
    (place / INDEX).write_text(json.dumps(index, indent=2), encoding="utf-8")


def taken_over(base: str, registry: Registry, place: Path) -> str:
    model = registry.show(base)
    if ROLE not in model.components:
        raise BadModelFolder(
            f"Model {base!r} has no {ROLE}; choose another base, or leave it out where the model "
            "that the adapter is for has one."
        )
    take_over(model.components[ROLE], place, registry.owned)
    return model.components[ROLE].class_name


def copied(folder: Path, place: Path) -> str:
    class_name = str((read_config(folder / "config.json").get("architectures") or [None])[0])
    slot = Slot(ROLE, LIBRARY, class_name, folder)
    refuse_code(slot)
    (place / ROLE).mkdir()
    for file in slot_files(slot, None):
        shutil.copyfile(file, place / ROLE / file.name)
    return class_name


def beside(found: HubModel, file: HubFile, path: Path) -> list[HubFile]:
    """The files of the encoder in a repository, where the file that was fetched from it is one."""
    adapter = adapter_of(path, read_header(path)) if path.suffix == ".safetensors" else None
    if not adapter or adapter["_class_name"] != "IPAdapter":
        return []
    folder = str(PurePosixPath(file.folder) / ROLE)
    inside = [other for other in found.files if other.folder == folder]
    return list(component_files(f"{found.repo}/{folder}", inside, None))
