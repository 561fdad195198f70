"""Prompts of pictures: up to three shapes, their places or relations, and a background."""

from omnifex_image.words import VOCABULARY
from omnifex_prism.grounds import GROUND_MARKS, read_ground, unseen
from omnifex_prism.reading import Lexicon, Reading, approximations
from omnifex_prism.refusals import Contradiction
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
    PLACES,
    RELATIONS,
    SHAPES,
    SIZES,
    WHOLE,
    shades,
)
from omnifex_prism.things import BETWEEN, Told, read_things
from omnifex_prism.words import PLACES as NAMED_PLACES

LEXICON = Lexicon(
    "image",
    words={
        "background": GROUNDS,
        "size": SIZES,
        "colour": COLOURS,
        "shape": SHAPES,
        "place": PLACES,
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
        "between": BETWEEN,
    },
    fillers=FILLERS | {"picture", "image", "photo", "drawing", "painting", "illustration", *WHOLE},
)
LIMIT = VOCABULARY.phrases - 1  # one phrase is the background's
STEPS = {"left of": (0, 1), "right of": (0, -1), "above": (1, 0), "below": (-1, 0)}


def read(prompt: str) -> Reading:
    """The background, then up to three things. Raises PromptRefused."""
    items = LEXICON.scan(prompt)
    ground, rest, assumed = read_ground(items)
    things, notes = read_things(rest, head="shape", limit=LIMIT, noun="a picture")
    for at, thing in enumerate(things[:-1]):
        if "place" in thing and "relation" in thing:
            notes.append(settle(thing, things[at + 1], last=at + 2 == len(things)))
    notes += unseen(ground, things)
    return Reading((ground, *things), (*approximations([*items, *rest]), *assumed, *notes))


def settle(one: Told, other: Told, *, last: bool) -> str:
    """Turn the relation of a thing that has a place into the place of the other; return a note.

    The models were trained on things told by their place or by their relation, not by both.
    """
    relation = one.pop("relation")
    places = places_beyond(one["place"], relation)
    told = other.get("place")
    if not places or (told and told not in places):
        raise Contradiction(
            f"a thing at {one['place']!r} cannot be {relation} one"
            + (f" at {told!r}" if told else "")
            + "; leave out its place or its relation."
        )
    other["place"] = told or places[-1 if last else 0]
    return f"{relation!r} from {one['place']!r} puts the next thing at {other['place']!r}"


def places_beyond(place: str, relation: str) -> list[str]:
    """The places of which a place is left, right, above or below, the nearest first."""
    row, column = divmod(NAMED_PLACES.index(place), 3)
    down, along = STEPS[relation]
    spots = [(row + down * n, column + along * n) for n in (1, 2)]
    return [NAMED_PLACES[r * 3 + c] for r, c in spots if 0 <= r < 3 and 0 <= c < 3]
