"""What is asked of a solid, and the files that carry it."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from omnifex import File, MediaInput, Modality
from omnifex.request import MAX_PROMPT, CheckpointRequest


class MeshRequest(CheckpointRequest):
    """A coloured solid from a prompt, or from a picture."""

    prompt: str = Field(default="", max_length=MAX_PROMPT, description="What to make, in words.")
    image: Annotated[str, MediaInput("image")] | None = Field(
        default=None, description="A picture to make it from."
    )
    preview: bool = Field(default=False, description="Also make a picture of the solid.")
    format: Literal["glb", "obj", "ply", "stl"] = Field(default="glb", description="File format.")


class MeshModality(Modality[MeshRequest]):
    name = "mesh"
    title = "3D"
    Request = MeshRequest
    formats = {
        "glb": "model/gltf-binary",
        "obj": "model/obj",
        "ply": "model/ply",
        "stl": "model/stl",
    }
    default_format = "glb"
    default_model = "prism"
    example_prompt = "a red cone on top of a blue cube"

    def read_provenance(self, file: Path) -> Mapping[str, Any] | None:
        from omnifex_mesh.files import read_provenance

        return read_provenance(file.read_bytes())

    def read_tags(self, file: Path) -> Mapping[str, str]:
        from omnifex_mesh.files import read_tags

        return read_tags(file.read_bytes())

    def encode(self, media: Any, request: MeshRequest, provenance: Mapping[str, Any]) -> list[File]:
        """media: a trimesh.Trimesh with vertex colours."""
        from omnifex_mesh import files

        data = files.encode(media, request.format, provenance)
        meta = {"vertices": len(media.vertices), "faces": len(media.faces)}
        solid = File(data, self.formats[request.format], f".{request.format}", meta=meta)
        return [solid, preview(media)] if request.preview else [solid]


def preview(mesh: Any) -> File:
    """A picture of a solid, drawn on the CPU."""
    from PIL import Image

    from omnifex_mesh.render import render

    picture = io.BytesIO()
    Image.fromarray(render(mesh)).save(picture, "png")
    return File(picture.getvalue(), "image/png", ".png", role="preview")
