"""Media that users hand in: a path, bytes, a PIL image, an artifact or a job become references."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omnifex.artifact import Artifact
from omnifex.errors import UnreadableInput
from omnifex.home import Home
from omnifex.job import Job
from omnifex.media_types import fits, head, media_type_of
from omnifex.places import Place, marked, shown
from omnifex.request import MediaInput, Request
from omnifex_jobs import Artifact as StoredArtifact

FILE, JOB = "sha256:", "job:"


@dataclass
class Inputs:
    """What a request's media fields refer to: files by content, and jobs to wait for."""

    references: dict[Place, str] = field(default_factory=dict)
    artifacts: list[StoredArtifact] = field(default_factory=list)
    parents: list[str] = field(default_factory=list)


def given_media(
    request_type: type[Request], fields: Mapping[str, Any]
) -> dict[Place, tuple[str, Any]]:
    """The files among the fields, and in their items, by place: the kind asked for, the value."""
    files = marked(request_type, fields, MediaInput)
    return {place: (mark.kind, value) for place, mark, value in files}


def take_in(home: Home, media: Mapping[Place, tuple[str, Any]]) -> Inputs:
    """Store the files and name them by content; UnreadableInput names what cannot be used."""
    taken = Inputs()
    for place, (kind, value) in media.items():
        name = str(place[0]) if len(place) < 3 else shown(place)  # an item's, or one of several
        taken.references[place] = refer(home, taken, name, kind, value)
    return taken


def refer(home: Home, taken: Inputs, name: str, kind: str, value: Any) -> str:
    """The reference that stands for one value in the recipe."""
    if isinstance(value, str) and value.startswith(JOB):
        value = Job(home, value.removeprefix(JOB))
    if isinstance(value, Job):
        taken.parents.append(value.id)
        return JOB + value.id
    if isinstance(value, Artifact):
        value = value.path
    elif isinstance(value, str) and value.startswith(FILE):
        value = home.store.path(value.removeprefix(FILE))
    stored = store_file(home, name, kind, value)
    taken.artifacts.append(stored)
    return FILE + stored.sha256


def store_file(home: Home, name: str, kind: str, value: Any) -> StoredArtifact:
    source, label = readable(name, value)
    modality = home.plugins.modalities.get(kind)
    media_type, suffix = media_type_of(source, modality)
    if not media_type or not fits(media_type, kind, modality):
        found = f"it is {media_type}" if media_type else f"it begins with {head(source)!r}"
        raise UnreadableInput(f"{label} is no {kind} file: {found}; give a file of that kind.")
    file = home.store.put(source, suffix=suffix, media_type=media_type)
    try:
        if modality is not None:
            modality.check_input(file.path)
    except UnreadableInput as error:
        raise UnreadableInput(f"{label} cannot be used: {error}") from error
    own = source.name if isinstance(source, Path) else ""
    return StoredArtifact(file.sha256, media_type, file.size, role="input", name=own)


def named(value: Any) -> Iterator[str]:
    """Every X that stands somewhere as `job:X`."""
    if isinstance(value, str) and value.startswith(JOB):
        yield value.removeprefix(JOB)
    elif isinstance(value, Mapping | list | tuple):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from named(inner)


def readable(name: str, value: Any) -> tuple[bytes | Path, str]:
    """Bytes or an existing file, and what to call it in an error."""
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value), f"{name} ({len(value):,} bytes)"
    if isinstance(value, str | Path):
        path = Path(value).expanduser()
        if not path.is_file():
            fact = "is a folder" if path.is_dir() else "does not exist"
            raise UnreadableInput(f"{name} {str(value)!r} {fact}; give the path of a file.")
        return path, f"{name} {str(value)!r}"
    if is_picture(value):
        return png(value), name
    raise UnreadableInput(
        f"{name} is of type {type(value).__name__}; "
        "give a path, bytes, a PIL image, an artifact or a job."
    )


def is_picture(value: Any) -> bool:
    """Whether it is a PIL image; who has one has imported PIL."""
    pil = sys.modules.get("PIL.Image")
    return pil is not None and isinstance(value, pil.Image)


def png(picture: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()
