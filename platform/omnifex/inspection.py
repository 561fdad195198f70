"""What a file says of its own making, and whether it is still the file that was signed."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from omnifex import foreign, signing
from omnifex.errors import UnreadableInput
from omnifex.home import Home
from omnifex.media_types import fits, media_type_of
from omnifex.modality import Modality

SIDE_CAR = ".c2pa"
HARMLESS = "signingCredential.untrusted"


@dataclass(frozen=True)
class Signature:
    """A C2PA manifest: `state` is `trusted` (by this home's key), `valid` (by another) or `broken`.

    A broken one does not fit the file: the one or the other was changed.
    """

    state: str
    signer: str
    generator: str
    faults: tuple[str, ...]
    said: Mapping[str, Any]  # our own assertion
    beside: bool  # whether it came from a .c2pa file


@dataclass(frozen=True)
class Inspection:
    """All that was found; `job` is the one of this home that made it."""

    path: str
    media_type: str
    sha256: str
    tool: str | None
    provenance: Mapping[str, Any]
    tags: Mapping[str, str]
    signature: Signature | None
    job: str | None

    @property
    def changed(self) -> bool:
        """Whether it is known not to be the file that was signed."""
        return self.signature is not None and self.signature.state == "broken"

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "changed": self.changed}


def inspect(home: Home, path: Path | str) -> Inspection:
    """Read a file of ours or of anybody's; UnreadableInput where there is none."""
    file = Path(path).expanduser()
    try:
        data = file.read_bytes()
    except OSError as error:
        raise UnreadableInput(
            f"{file} cannot be read ({error.strerror or error}); give the path of a file."
        ) from error
    modality, media_type = kind_of(home, file)
    own, tags = said(modality, file) if modality else (None, {})
    tool, provenance = ("omnifex", own) if own else foreign.understood(tags)
    signature = signature_of(home, file, data, media_type)
    sha256 = hashlib.sha256(data).hexdigest()
    made_as = str(signature.said.get("sha256", "")) if signature else ""
    makers = [one for sha in (sha256, made_as) for one in home.queue.origins.makers(sha)]
    if tool is None and signature:
        tool = signature.generator or None
    job = makers[0] if makers else None
    return Inspection(str(file), media_type, sha256, tool, provenance or {}, tags, signature, job)


def kind_of(home: Home, file: Path) -> tuple[Modality[Any] | None, str]:
    """The modality that can read the file, and its media type; GIF is a clip before a picture."""
    modalities = list(home.plugins.modalities.values())
    for modality in modalities:
        media_type, _ = media_type_of(file, modality)
        if media_type and media_type in modality.formats.values():
            return modality, media_type
    for modality in modalities:
        media_type, _ = media_type_of(file, modality)
        if media_type and fits(media_type, modality.name, modality):
            return modality, media_type
    return None, media_type_of(file, None)[0] or "application/octet-stream"


def said(modality: Modality[Any], file: Path) -> tuple[Mapping[str, Any] | None, Mapping[str, str]]:
    """Our provenance and all texts; a file that is too broken to be read says nothing."""
    try:
        return modality.read_provenance(file), modality.read_tags(file)
    except UnreadableInput:
        return None, {}


def signature_of(home: Home, file: Path, data: bytes, media_type: str) -> Signature | None:
    """The manifest in the file or beside it; None where there is none or nothing can read it."""
    if find_spec("c2pa") is None:
        return None
    import c2pa

    root = home.folder / "signing" / "root.pem"
    context = signing.context(root.read_text() if root.exists() else None)
    side_car = file.with_suffix(SIDE_CAR)
    beside = media_type not in signing.EMBEDS and side_car.is_file()
    try:
        if beside:
            store = side_car.read_bytes()
            reader = c2pa.Reader(media_type, io.BytesIO(data), store, context=context)
        else:
            reader = c2pa.Reader(media_type, io.BytesIO(data), context=context)
    except c2pa.C2paError as error:
        return absent_or_broken(str(error), beside)
    with reader:
        return read(reader, beside)


def absent_or_broken(why: str, beside: bool) -> Signature | None:
    """What is no manifest, or one that nobody can read any more."""
    if not beside and why.startswith(("ManifestNotFound", "NotSupported")):
        return None
    return Signature("broken", "", "", (why,), {}, beside)


def read(reader: Any, beside: bool) -> Signature:
    store = json.loads(reader.json())
    active = store["manifests"][store["active_manifest"]]
    faults = [one["code"] for one in store.get("validation_status", ())]
    state = str(reader.get_validation_state()).lower()
    by = active.get("signature_info", {})
    tools = active.get("claim_generator_info") or [{"name": active.get("claim_generator", "")}]
    own = [one["data"] for one in active.get("assertions", ()) if one["label"] == signing.LABEL]
    return Signature(
        "broken" if state == "invalid" else state,
        " / ".join(filter(None, (by.get("issuer"), by.get("common_name")))),
        " ".join(str(tools[0].get(part, "")) for part in ("name", "version")).strip(),
        tuple(dict.fromkeys(code for code in faults if code != HARMLESS)),
        own[0] if own else {},
        beside,
    )
