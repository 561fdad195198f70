"""What tells a good solid from a worse one: how well its picture agrees with the prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from omnifex.agreement import ClipAgreement
from omnifex_mesh.modality import MeshRequest

if TYPE_CHECKING:
    import numpy as np


class MeshAgreement(ClipAgreement[MeshRequest]):
    modality = "mesh"

    def pictures(self, media: Any) -> Sequence[np.ndarray]:
        from omnifex_mesh.render import render

        return [render(media)]
