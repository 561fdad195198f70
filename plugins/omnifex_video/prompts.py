"""Prompts of clips: one or two moving shapes, how they stand, and a background."""

from collections.abc import Sequence
from dataclasses import replace

from omnifex_prism.grounds import GROUND_MARKS, read_ground, unseen
from omnifex_prism.reading import Item, Lexicon, Reading, Spellings, approximations
from omnifex_prism.spellings import (
    AFTER,
    AFTER_BESIDE,
    ALL,
    ANY_THING,
    BESIDE,
    COLOURS,
    FILLERS,
    GROUNDS,
    JOINTS,
    PLACE_TEXTS,
    RELATIONS,
    SHAPES,
    SIZES,
    WHOLE,
    shades,
)
from omnifex_prism.things import places_to_relation, read_things
from omnifex_video.words import VOCABULARY

MOVING = (
    "moving", "sliding", "gliding", "drifting", "flying", "travelling", "going", "floating",
    "moves", "slides", "glides", "drifts", "flies", "travels", "goes", "floats",
)  # fmt: skip
WAYS = {
    "moving right": ("right", "to right", "rightwards", "rightward", "from left to right",
                     "towards right"),
    "moving left": ("left", "to left", "leftwards", "leftward", "from right to left",
                    "towards left"),
    "moving up": ("up", "upwards", "upward", "to top", "from bottom to top"),
    "moving down": ("down", "downwards", "downward", "to bottom", "from top to bottom"),
}  # fmt: skip


def moves(motion: str) -> tuple[str, ...]:
    """'sliding to right', 'flies rightwards', …"""
    return tuple(f"{verb} {way}" for verb in MOVING for way in WAYS[motion])


MOTIONS: Spellings = {
    "moving right": (*moves("moving right"), "from left to right"),
    "moving left": (*moves("moving left"), "from right to left"),
    "moving up": (*moves("moving up"), "rising", "rises", "climbing", "climbs", "ascending",
                  "rising up", "rises up"),
    "moving down": (*moves("moving down"), "falling", "falls", "sinking", "sinks", "descending",
                    "dropping", "drops", "falling down", "falls down"),
    "bouncing": ("bounces", "hopping", "hops", "jumping", "jumps", "bouncing up and down",
                 "bounces up and down", "moving up and down", "jumping up and down"),
    "circling": ("orbiting", "orbits", "circling around", "circles around", "moving in circle",
                 "moves in circle", "going in circles", "going around in circles", "revolving"),
    "spinning": ("spins", "rotating", "rotates", "turning", "turns", "twirling", "whirling",
                 "spinning around", "spins around", "turning around", "turns around"),
    "growing": ("grows", "expanding", "expands", "getting bigger", "gets bigger",
                "getting larger", "gets larger", "swelling", "inflating"),
    "shrinking": ("shrinks", "contracting", "contracts", "getting smaller", "gets smaller",
                  "deflating"),
    "blinking": ("blinks", "flashing", "flashes", "flickering", "flickers", "winking"),
    "shaking": ("shakes", "wobbling", "wobbles", "trembling", "trembles", "vibrating", "jiggling",
                "quivering"),
    "still": ("standing still", "stands still", "static", "stationary", "motionless", "at rest",
              "resting", "rests", "not moving", "unmoving", "keeping still", "keeps still",
              "stays still", "staying still"),
}  # fmt: skip

LEXICON = Lexicon(
    "video",
    words={
        "background": GROUNDS,
        "size": SIZES,
        "colour": COLOURS,
        "shape": SHAPES,
        "motion": MOTIONS,
        "relation": RELATIONS,
    },
    near={
        "colour": shades(),
        "relation": {"left of": BESIDE},
        "after": {"left of": AFTER_BESIDE},
        "all": ALL,
    },
    marks={
        **JOINTS,
        **GROUND_MARKS,
        "shape": ANY_THING,
        "place": PLACE_TEXTS,
        "after": AFTER,
    },
    fillers=FILLERS | {"video", "clip", "animation", "movie", "film", "gif", "picture", *WHOLE},
)
LIMIT = VOCABULARY.phrases - 1  # one phrase is the background's
SIDES = {"left": "left of", "right": "right of", "top": "above", "bottom": "below"}
ROUND = ("circle", "ring")


def read(prompt: str) -> Reading:
    """The background, then one or two things. Raises PromptRefused."""
    items = circling(LEXICON.scan(prompt))
    ground, rest, assumed = read_ground(items)
    things, notes = read_things(rest, head="shape", limit=LIMIT, noun="a clip")
    places_to_relation(things, SIDES, "a clip")
    notes += unseen(ground, things) + [
        f"a spinning {thing['shape']} looks as if it stood still"
        for thing in things
        if thing.get("motion") == "spinning" and thing.get("shape") in ROUND
    ]
    return Reading((ground, *things), (*approximations([*items, *rest]), *assumed, *notes))


def circling(items: Sequence[Item]) -> list[Item]:
    """In 'a star circles' the last word is a motion, though 'circles' alone are shapes."""
    before = [None, *items]
    return [
        replace(item, role="motion", word="circling", plural=False)
        if item.text == "circles" and previous is not None and previous.role == "shape"
        else item
        for item, previous in zip(items, before, strict=False)
    ]
