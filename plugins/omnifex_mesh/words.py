"""The words of the built-in solids."""

from omnifex_prism.vocabulary import Vocabulary
from omnifex_prism.words import COLOURS, SIZES

SOLIDS = (
    "sphere",
    "cube",
    "cone",
    "cylinder",
    "torus",
    "pyramid",
    "capsule",
    "octahedron",
    "egg",
    "prism",
    "dome",
    "slab",
)

ARRANGEMENTS = ("on top of", "under", "left of", "right of")

VOCABULARY = Vocabulary(
    {
        "size": SIZES,
        "colour": tuple(COLOURS),
        "solid": SOLIDS,
        "relation": ARRANGEMENTS,  # of a thing to the next one
    },
    phrases=3,
)
