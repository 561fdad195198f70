"""The motions that built-in clips know."""

from omnifex_prism.vocabulary import Vocabulary
from omnifex_prism.words import BACKGROUNDS, COLOURS, RELATIONS, SHAPES, SIZES

MOTIONS = (
    "moving right",
    "moving left",
    "moving up",
    "moving down",
    "bouncing",
    "circling",
    "spinning",
    "growing",
    "shrinking",
    "blinking",
    "shaking",
    "still",
)

VOCABULARY = Vocabulary(
    {
        "background": BACKGROUNDS,
        "ground": tuple(COLOURS),
        "second ground": tuple(COLOURS),
        "size": SIZES,
        "colour": tuple(COLOURS),
        "shape": SHAPES,
        "motion": MOTIONS,
        "relation": RELATIONS,  # of the first thing to the second
    },
    phrases=3,  # the background and up to two things
)
