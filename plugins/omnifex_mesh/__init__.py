"""Solids: GLB, OBJ, PLY and STL."""

from omnifex import hookimpl
from omnifex_mesh.modality import MeshModality
from omnifex_mesh.prism import PrismMesh


@hookimpl
def register_modalities() -> list[MeshModality]:
    return [MeshModality()]


@hookimpl
def register_families() -> list[PrismMesh]:
    return [PrismMesh()]
