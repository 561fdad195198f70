"""The words of the built-in pictures."""

from omnifex_prism.vocabulary import Vocabulary
from omnifex_prism.words import BACKGROUNDS, COLOURS, PLACES, RELATIONS, SHAPES, SIZES

VOCABULARY = Vocabulary(
    {
        "background": BACKGROUNDS,
        "ground": tuple(COLOURS),
        "second ground": tuple(COLOURS),
        "size": SIZES,
        "colour": tuple(COLOURS),
        "shape": SHAPES,
        "place": PLACES,
        "relation": RELATIONS,  # of a thing to the next one
    },
    phrases=4,  # the background and up to three things
)
