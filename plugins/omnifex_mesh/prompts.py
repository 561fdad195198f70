"""Prompts of solids: up to three of them, stacked or side by side."""

from omnifex_mesh.words import VOCABULARY
from omnifex_prism.reading import Lexicon, Reading, Spellings, approximations
from omnifex_prism.spellings import (
    AFTER,
    AFTER_BESIDE,
    ALL,
    ANY_THING,
    BESIDE,
    COLOURS,
    FILLERS,
    JOINTS,
    PLACE_TEXTS,
    RELATIONS,
    SIZES,
    shades,
)
from omnifex_prism.things import BETWEEN, places_to_relation, read_things

SOLIDS: Spellings = {
    "sphere": ("ball", "orb", "globe"),
    "cube": ("box", "block", "dice", "die"),
    "cone": (),
    "cylinder": ("drum", "tube", "can"),
    "torus": ("donut", "doughnut", "ring"),
    "pyramid": (),
    "capsule": ("pill",),
    "octahedron": ("diamond", "double pyramid"),
    "egg": ("ellipsoid", "ovoid"),
    "prism": ("wedge", "triangular prism", "tent"),
    "dome": ("hemisphere", "half sphere", "half ball"),
    "slab": ("plate", "tile", "board", "flat box"),
}
STANDING = ("stacked", "standing", "sitting", "resting", "balanced", "placed", "lying", "put")
ARRANGEMENTS: Spellings = {
    "on top of": (
        "on", "upon", "atop", "above", "over",
        *(f"{way} {on}" for way in STANDING for on in ("on", "on top of", "upon", "atop")),
    ),
    "under": ("below", "underneath", "beneath", "supporting", "carrying"),
    "left of": RELATIONS["left of"],
    "right of": RELATIONS["right of"],
}  # fmt: skip
TOP = ("on top", "on it", "on top of it", "above it", "stacked on it", "stacked on top")

LEXICON = Lexicon(
    "mesh",
    words={"size": SIZES, "colour": COLOURS, "solid": SOLIDS, "relation": ARRANGEMENTS},
    near={
        "colour": shades(),
        "relation": {"left of": BESIDE},
        "after": {"left of": AFTER_BESIDE},
        "all": {
            "left of": ALL["left of"],
            "on top of": (
                "stacked",
                "stacked up",
                "in stack",
                "stack of",
                "tower of",
                *ALL["above"],
                *(f"stacked {how}" for how in ALL["above"]),
            ),
        },
    },
    marks={
        **JOINTS,
        "solid": {**ANY_THING, "torus": ("tori",), "octahedron": ("octahedra",)},
        "place": {
            place: tuple(text for text in PLACE_TEXTS[place] if text not in TOP)
            for place in ("left", "right", "top", "bottom", "center")
        },
        "after": {
            "right of": AFTER["right of"],
            "left of": AFTER["left of"],
            "under": TOP,
            "on top of": ("under it", "below it", "underneath it", "beneath it"),
        },
        "between": BETWEEN,
    },
    fillers=FILLERS - {"can"}
    | {"mesh", "model", "3d", "solid", "sculpture", "render", "rendering"},
)
SIDES = {"left": "left of", "right": "right of", "top": "on top of", "bottom": "under"}


def read(prompt: str) -> Reading:
    """Up to three things. Raises PromptRefused."""
    items = LEXICON.scan(prompt)
    things, notes = read_things(items, head="solid", limit=VOCABULARY.phrases, noun="a mesh")
    places_to_relation(things, SIDES, "a mesh")
    return Reading(tuple(things), (*approximations(items), *notes))
