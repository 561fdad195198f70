"""The diffusers layout: a folder with model_index.json and one folder per component."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omnifex_registry.config import digest, read_config
from omnifex_registry.errors import BadModelFolder, UnsafeWeights
from omnifex_registry.weights import PICKLES

INDEX = "model_index.json"
# Classes of diffusers that are saved alone, to be joined to a model, and the slots they then take.
LONE = {
    "ControlNet": "controlnet",
    "MotionAdapter": "motion_adapter",
    "T2IAdapter": "adapter",
}


@dataclass(frozen=True, slots=True)
class Slot:
    """A component as model_index.json names it."""

    role: str
    library: str
    class_name: str
    path: Path


@dataclass(frozen=True, slots=True)
class Layout:
    """A model's folder, read but not yet identified."""

    path: Path
    class_name: str
    config: Mapping[str, Any]
    slots: tuple[Slot, ...]


def read_layout(folder: Path | str) -> Layout:
    """What model_index.json says; BadModelFolder names what is wrong with the folder."""
    path = Path(folder).expanduser().resolve()
    if path.suffix.lower() in PICKLES and path.is_file():
        raise UnsafeWeights(path)
    if not path.is_dir():
        raise BadModelFolder(
            f"There is no folder {path}; give the folder of a model in the diffusers layout, "
            f"with {INDEX} in it."
        )
    config = lone_component(path) or read_config(path / INDEX)
    class_name = config.get("_class_name")
    if not isinstance(class_name, str):
        raise BadModelFolder(
            f"{path / INDEX} names {class_name!r} as its pipeline class; "
            "it must be a class of diffusers or of a plugin, code in the folder is never run."
        )
    slots = tuple(_slots(path, config))
    if not slots:
        raise BadModelFolder(f"{path / INDEX} names no component; get the whole model folder.")
    return Layout(path, class_name, config, slots)


def lone_component(folder: Path) -> dict[str, Any] | None:
    """The index of a folder that is one component for other models, a ControlNet say."""
    if (folder / INDEX).exists() or not (folder / "config.json").is_file():
        return None
    class_name = str(read_config(folder / "config.json").get("_class_name"))
    role = next((role for word, role in LONE.items() if word in class_name), None)
    if role is None:
        return None
    return {"_class_name": class_name, role: ["diffusers", class_name, "."]}


def file_stamp(layout: Layout) -> str:
    """Changes when a file of the model is written, added or removed; costs no reading."""
    files = {file for slot in layout.slots for file in slot.path.rglob("*")}
    if (layout.path / INDEX).is_file():
        files.add(layout.path / INDEX)
    stats = [
        (str(file.relative_to(layout.path.parent)), file.stat())
        for file in files
        if not file.is_dir()
    ]
    return digest(sorted((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats))


def _slots(folder: Path, config: Mapping[str, Any]) -> Iterator[Slot]:
    for role, value in config.items():
        # [null, null] is a slot left empty; other values are the pipeline's own settings.
        if role.startswith("_") or not isinstance(value, list) or len(value) not in (2, 3):
            continue
        if value[0] and isinstance(value[0], str):
            yield _slot(folder, role, *value)


def component_folder(folder: Path, role: str, entry: Sequence[Any]) -> Path:
    """Where a component of model_index.json is: in the folder of its role.

    A third item names another place, "../other/vae": models that lie side by side may share files.
    """
    return (folder / str(entry[2])).resolve() if len(entry) == 3 else folder / role


def _slot(folder: Path, role: str, library: str, class_name: Any, *where: Any) -> Slot:
    # A role is a folder's name here and an attribute's in Python: no way out of the model folder.
    if not role.isidentifier() or not _is_identifier(class_name):
        raise BadModelFolder(
            f"{folder / INDEX} has a bad entry {role!r}: {[library, class_name]}; "
            "a component is a name with a library and a class."
        )
    place = component_folder(folder, role, [library, class_name, *where])
    if not place.is_relative_to(folder.parent):
        raise BadModelFolder(
            f"{folder / INDEX} keeps {role!r} in {place}, which is neither in the model's folder "
            "nor in one beside it; put the files there."
        )
    if not place.is_dir():
        raise BadModelFolder(
            f"Component {role!r} ({class_name}) has no folder {place}; get the whole model folder."
        )
    return Slot(role, library, class_name, place)


def _is_identifier(name: Any) -> bool:
    return isinstance(name, str) and name.isidentifier()
