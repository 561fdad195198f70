"""Solids as files: GLB, OBJ, PLY and STL.

GLB keeps the provenance in `asset.extras` (glTF 2.0, 3.2), OBJ and PLY in comments. STL has room
for neither: it loses the colours, and its 80-byte header holds the provenance's SHA-256 alone.
"""

from __future__ import annotations

import hashlib
import io
import json
import struct
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from omnifex import provenance as record
from omnifex.errors import UnreadableInput
from omnifex_mesh.srgb import to_linear, to_srgb

if TYPE_CHECKING:
    import trimesh

FORMATS = ("glb", "obj", "ply", "stl")
PLY_LINE = 200
"""Of a comment, in bytes: some readers of PLY have a fixed buffer for a header line."""

# Without a material glTF's default applies, which is bare metal and nearly black.
_MATERIAL = {"pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": 0.6}}
_OBJ_MARK = f"# {record.KEY} ".encode()
_PLY_MARK = f"comment {record.KEY} ".encode()


class UnreadableMesh(UnreadableInput):
    """The bytes are no mesh, or a broken one."""

    code = "unreadable_mesh"


def encode(mesh: trimesh.Trimesh, extension: str, provenance: Mapping[str, Any]) -> bytes:
    """A mesh with vertex colours to a glb, obj, ply or stl file; the same gives the same bytes."""
    writers = {"glb": _encode_glb, "obj": _encode_obj, "ply": _encode_ply, "stl": _encode_stl}
    return writers[extension](mesh, provenance)


def decode(data: bytes, extension: str) -> trimesh.Trimesh:
    """One mesh with all parts of the file, its vertex colours in sRGB."""
    import trimesh

    try:
        mesh = trimesh.load_mesh(io.BytesIO(data), file_type=extension, skip_materials=True)
    except Exception as error:  # trimesh's loaders let through whatever broken bytes make of them.
        raise _unreadable(data, extension, str(error) or type(error).__name__) from error
    if not len(mesh.faces):
        raise _unreadable(data, extension, "it has no faces")
    if not np.isfinite(mesh.vertices).all():
        raise _unreadable(data, extension, "some of its points are not numbers")
    if extension == "glb":
        mesh.visual.vertex_colors = _recoloured(mesh.visual.vertex_colors, to_srgb)
    return mesh


def read_provenance(data: bytes) -> dict[str, Any] | None:
    """What `encode` was given; None in an STL file and in a mesh made elsewhere."""
    if data.startswith(b"glTF"):
        extras = _glb_header(data).get("asset", {}).get("extras", {})
        found = extras.get(record.KEY)
        return found if isinstance(found, dict) else None
    mark = _PLY_MARK if data.startswith(b"ply") else _OBJ_MARK
    header = data.partition(b"\nend_header\n")[0] if mark is _PLY_MARK else data[: 1 << 20]
    lines = [line.removeprefix(mark) for line in header.split(b"\n") if line.startswith(mark)]
    return record.from_json(b"".join(lines).decode("utf-8", "replace"))


def read_tags(data: bytes) -> dict[str, str]:
    """The texts of a GLB file's `asset`, or the comments of another one's header."""
    if data.startswith(b"glTF"):
        asset = _glb_header(data).get("asset", {})
        return {name: text for name, text in asset.items() if isinstance(text, str)}
    if data.startswith(b"ply"):
        head = data.partition(b"\nend_header\n")[0]
        lines = [line[8:] for line in head.split(b"\n") if line.startswith(b"comment ")]
    elif data.lstrip()[:1] == b"#":
        lines = [line[1:] for line in data[: 1 << 20].split(b"\n") if line.startswith(b"#")]
    else:
        lines = [data[:80].rstrip(b"\0 ")]  # STL
    comment = b"\n".join(line.strip() for line in lines).decode("utf-8", "replace")
    return {"comment": comment} if comment else {}


def _encode_glb(mesh: trimesh.Trimesh, provenance: Mapping[str, Any]) -> bytes:
    from trimesh.exchange.gltf import export_glb

    def describe(tree: dict[str, Any]) -> None:
        own = json.loads(record.to_json(provenance))
        tree["asset"].update(generator=record.software(provenance), extras={record.KEY: own})
        tree["scenes"][0]["name"] = record.title(provenance)
        tree["materials"] = [_MATERIAL]
        for part in tree["meshes"]:
            part["primitives"][0]["material"] = 0

    linear = mesh.copy()
    # COLOR_0 is linear light (glTF 2.0, 3.9.2).
    linear.visual.vertex_colors = _recoloured(mesh.visual.vertex_colors, to_linear)
    # Normals, because glTF's default without them is flat faces.
    return bytes(export_glb(linear.scene(), include_normals=True, tree_postprocessor=describe))


def _encode_obj(mesh: trimesh.Trimesh, provenance: Mapping[str, Any]) -> bytes:
    from trimesh.exchange.obj import export_obj

    text = export_obj(mesh, include_normals=True, digits=6, header=None)
    own = f"# made by {record.software(provenance)}\n".encode() + _OBJ_MARK
    return own + record.to_json(provenance).encode() + b"\n" + str(text).encode()


def _encode_ply(mesh: trimesh.Trimesh, provenance: Mapping[str, Any]) -> bytes:
    from trimesh.exchange.ply import export_ply

    blob = json.dumps(json.loads(record.to_json(provenance)), separators=(",", ":")).encode()
    pieces = [blob[start : start + PLY_LINE] for start in range(0, len(blob), PLY_LINE)]
    comments = b"".join(_PLY_MARK + piece + b"\n" for piece in pieces)
    magic, form, rest = export_ply(mesh, vertex_normal=False).split(b"\n", 2)
    return b"\n".join([magic, form, comments + rest])


def _encode_stl(mesh: trimesh.Trimesh, provenance: Mapping[str, Any]) -> bytes:
    from trimesh.exchange.stl import export_stl

    digest = hashlib.sha256(record.to_json(provenance).encode()).hexdigest()
    header = f"{record.KEY} sha256:{digest}".encode().ljust(80)
    return header + bytes(export_stl(mesh)[80:])


def _glb_header(data: bytes) -> dict[str, Any]:
    """The JSON chunk: after a 12-byte header, its length and its type (glTF 2.0, 4.4)."""
    try:
        length, kind = struct.unpack_from("<I4s", data, 12)
        header = json.loads(data[20 : 20 + length]) if kind == b"JSON" else None
    except (struct.error, ValueError) as error:
        raise _unreadable(data, "glb", str(error)) from error
    return header if isinstance(header, dict) else {}


def _recoloured(colours: np.ndarray, change: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """uint8 RGBA, its opacity untouched."""
    rgb = np.rint(255 * change(colours[:, :3] / 255.0))
    return np.column_stack([rgb, colours[:, 3]]).astype(np.uint8)


def _unreadable(data: bytes, extension: str, reason: str) -> UnreadableMesh:
    if not data:
        return UnreadableMesh(
            f"the mesh file is empty (0 bytes); give a whole {extension.upper()} file."
        )
    return UnreadableMesh(
        f"the file of {len(data):,} bytes that starts with {data[:12]!r} cannot be read as"
        f" {extension.upper()} ({reason}); give a whole {extension.upper()} file."
    )
