"""What a prompt leaves open is settled by the seed, as a painter would settle it.

A model that is told nothing of a background or a place paints a mixture of several. So a prompt
without one gets a plain background in a colour that none of its things has, and each thing a size
and a place, such that relations can hold.
"""

from collections.abc import Sequence
from random import Random

from omnifex_prism.vocabulary import Phrase
from omnifex_prism.words import COLOURS, SIZES, apart

SPREAD = ("top left", "bottom right", "top right", "bottom left", "center")  # far from each other
LAST = {  # where the last of things in a row or column may be
    "left of": ("top right", "right", "bottom right"),
    "right of": ("top left", "left", "bottom left"),
    "above": ("bottom left", "bottom", "bottom right"),
    "below": ("top left", "top", "top right"),
}


def with_background(phrases: Sequence[Phrase], rng: Random) -> list[Phrase]:
    """The phrases of a prompt, the first of which tells the background, with that made whole."""
    ground, things = dict(phrases[0]), phrases[1:]
    if not things:
        return list(phrases)
    kind = ground.setdefault("background", "gradient" if "second ground" in ground else "plain")
    taken = {word for phrase in phrases for word in phrase.values()} & COLOURS.keys()
    for role in ("ground",) if kind == "plain" else ("ground", "second ground"):
        free = [one for one in COLOURS if all(apart(one, other) for other in taken)]
        taken.add(ground.setdefault(role, rng.choice(free)))
    return [ground, *things]


def with_sizes(phrases: Sequence[Phrase], rng: Random) -> list[Phrase]:
    """The same with a size for each thing."""
    return [phrases[0], *({"size": rng.choice(SIZES), **thing} for thing in phrases[1:])]


def with_places(phrases: Sequence[Phrase], rng: Random) -> list[Phrase]:
    """The same with a place for each thing that stands in no relation to the next one."""
    taken = {thing.get("place") for thing in phrases[1:]}
    found, before = [phrases[0]], None
    for thing in phrases[1:]:
        if "relation" not in thing and "place" not in thing:
            free = [place for place in SPREAD if place not in taken]
            place = rng.choice(LAST[before] if before else free)
            thing = {**thing, "place": place}
            taken.add(place)
        before = thing.get("relation")
        found.append(thing)
    return found
