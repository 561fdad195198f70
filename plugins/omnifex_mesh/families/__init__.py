"""Other people's checkpoints of solids, and of pictures' depth: a file a family."""

from __future__ import annotations

from typing import Any

from omnifex import Family


def families() -> list[Family[Any]]:
    """All of them; a checkpoint is the first one's that recognises it."""
    from omnifex_mesh.families.relief import Relief
    from omnifex_mesh.families.shap_e import ShapE

    return [ShapE(), Relief()]
