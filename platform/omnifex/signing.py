"""Signed C2PA manifests for files that leave the home, by a key of the home's own.

The store keeps the exact bytes that a job made, which are the same each time; a signature is never
the same twice. So a copy is signed when it is handed out. docs/artifacts.md says what that proves.
"""

from __future__ import annotations

import io
import json
import os
import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from omnifex import provenance
from omnifex.errors import OmnifexError
from omnifex.versions import version
from omnifex_jobs import Artifact

if TYPE_CHECKING:
    from omnifex.home import Home

EMBEDS = frozenset(
    ("image/png", "image/jpeg", "image/webp", "image/gif", "video/mp4", "audio/wav", "audio/flac")
)
"""Media types whose files carry their manifest; beside all others lies a `.c2pa` file."""

LABEL = "org.omnifex.generation"
COMPOSITE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
SWITCH = "OMNIFEX_SIGN"  # "no" turns signing off


class NoSigner(OmnifexError):
    """A signature is asked for and the library that makes it is not installed."""

    code = "no_signer"

    def __init__(self) -> None:
        super().__init__("nothing signs here; `pip install 'omnifex[provenance]'` first.")


@dataclass(frozen=True)
class Signed:
    """A file's bytes, and the manifest that is to lie beside it where it cannot hold one."""

    data: bytes
    beside: bytes | None


def wanted(asked: bool | None) -> bool:
    """Whether to sign: as asked, or else if it can be done and was not turned off."""
    able = find_spec("c2pa") is not None
    if asked and not able:
        raise NoSigner()
    off = os.environ.get(SWITCH, "").lower() in ("no", "off", "0", "false")
    return able and not off if asked is None else asked


def signed(home: Home, file: Artifact, data: bytes, job_id: str | None) -> Signed:
    """The file with its manifest, by the home's key."""
    import c2pa

    embeds = file.media_type in EMBEDS
    manifest = json.dumps(manifest_of(home, file, job_id))
    with c2pa.Builder(manifest, context=context()) as builder, signer(home) as by:
        if not embeds:
            builder.set_no_embed()
        out = io.BytesIO()
        made = builder.sign(by, file.media_type, io.BytesIO(data), out)
    return Signed(out.getvalue(), None) if embeds else Signed(data, made)


def manifest_of(home: Home, file: Artifact, job_id: str | None) -> dict[str, Any]:
    """Who made it and how, without the prompt: that is in the file's own metadata."""
    said: dict[str, Any] = {"sha256": file.sha256, "omnifex": version()}
    source = provenance.SOURCE_TYPE
    if job_id:
        job = home.queue.get(job_id)
        said |= {"job": job.id, "recipe": job.recipe_hash, "model": job.model}
        said |= {"components": job.recipe["components"], "environment": dict(job.environment)}
        if any(one.role == "input" for one in job.artifacts):
            source = COMPOSITE
    action = {"action": "c2pa.created", "digitalSourceType": source}
    return {
        "claim_generator_info": [{"name": "omnifex", "version": version()}],
        "title": file.name,
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": [action]}},
            {"label": LABEL, "data": said},
        ],
    }


def context(anchors: str | None = None) -> Any:
    """No thumbnails, which would be larger than most files; with whose roots to trust."""
    import c2pa

    settings: dict[str, Any] = {"builder": {"thumbnail": {"enabled": False}}}
    if anchors:
        settings["trust"] = {"user_anchors": anchors}
    return c2pa.Context(c2pa.Settings.from_dict(settings))


def signer(home: Home) -> Any:
    import c2pa

    folder = keys(home)
    chain, key = ((folder / name).read_bytes() for name in ("chain.pem", "key.pem"))
    return c2pa.Signer.from_info(c2pa.C2paSignerInfo(c2pa.C2paSigningAlg.ES256, chain, key, None))


def keys(home: Home) -> Path:
    """The folder of the home's key and certificates, made on first use."""
    folder = home.folder / "signing"
    if not folder.exists():
        from omnifex.certificates import write_keys

        draft = folder.with_name(f".signing.{uuid4().hex}")
        write_keys(draft)
        try:
            draft.rename(folder)
        except OSError:  # another process was first
            shutil.rmtree(draft)
    return folder
