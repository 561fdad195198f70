"""Solids: GLB, OBJ, PLY and STL."""

from typing import Any

from omnifex import Family, Modality, Scorer, hookimpl


@hookimpl
def register_modalities() -> list[Modality[Any]]:
    from omnifex_mesh.modality import MeshModality

    return [MeshModality()]


@hookimpl
def register_families() -> list[Family[Any]]:
    from omnifex_mesh.families import families
    from omnifex_mesh.prism import PrismMesh

    return [PrismMesh(), *families()]


@hookimpl
def register_scorers() -> list[Scorer[Any]]:
    from omnifex_mesh.scorers import MeshAgreement

    return [MeshAgreement()]
