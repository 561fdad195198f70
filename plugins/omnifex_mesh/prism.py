"""Solids by the built-in model: a field of distance and colour, and its surface."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING

from omnifex_mesh.modality import MeshRequest
from omnifex_mesh.prompts import read
from omnifex_mesh.words import ARRANGEMENTS, SOLIDS, VOCABULARY
from omnifex_prism.family import PrismFamily
from omnifex_prism.open_words import with_colours, with_relations, with_words
from omnifex_prism.reading import Reading
from omnifex_prism.vocabulary import Phrase
from omnifex_prism.words import SIZES

if TYPE_CHECKING:
    import numpy as np
    import trimesh
    from torch import Tensor

OPEN = {"size": SIZES, "solid": SOLIDS}  # what the seed settles where the prompt does not


class PrismMesh(PrismFamily[MeshRequest]):
    """A coloured surface from a 48³ field."""

    modality = "mesh"
    steps = 4  # the first few decide nearly all
    guidance = 1.5  # with more, solids lose form
    vocabulary = VOCABULARY
    cannot = ("negative_prompt", "image", "extra")

    def read(self, prompt: str) -> Reading:
        return read(prompt)

    def settled(
        self, phrases: Sequence[Phrase], request: MeshRequest, rng: Random
    ) -> Sequence[Phrase]:
        whole = with_words(with_colours([{}, *phrases], rng), rng, OPEN)
        return with_relations(whole, rng, ARRANGEMENTS)[1:]

    def media(self, samples: Tensor, request: MeshRequest) -> trimesh.Trimesh:
        from omnifex_mesh.marching import surface

        field = samples[0].cpu().numpy()  # (4, D, H, W)
        return surface(field[0], (field[1:].clip(-1, 1).transpose(1, 2, 3, 0) + 1) / 2)

    def look(self, samples: Tensor) -> np.ndarray:
        from omnifex_mesh.front import front

        return front(samples[0].cpu().numpy())
