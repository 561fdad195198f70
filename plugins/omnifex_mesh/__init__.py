"""Solids: GLB, OBJ, PLY and STL."""

from omnifex import Family, Modality, hookimpl


@hookimpl
def register_modalities() -> list[Modality]:
    from omnifex_mesh.modality import MeshModality

    return [MeshModality()]


@hookimpl
def register_families() -> list[Family]:
    from omnifex_mesh.prism import PrismMesh

    return [PrismMesh()]
