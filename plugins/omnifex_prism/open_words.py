"""What a prompt leaves open is settled by the seed, as a painter would settle it.

A model that is told nothing of a thing paints a mixture of all that it may be. So each thing gets
the words that it lacks: a colour that shows, a place in which relations hold; and a prompt without
a background gets a plain one in a colour that none of its things has.
"""

from collections.abc import Mapping, Sequence
from random import Random

from omnifex_prism.vocabulary import Phrase
from omnifex_prism.words import COLOURS, apart

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
    taken = colours_of(phrases)
    for role in ("ground",) if kind == "plain" else ("ground", "second ground"):
        taken.append(ground.setdefault(role, showing(taken, rng)))
    return [ground, *things]


def with_colours(phrases: Sequence[Phrase], rng: Random) -> list[Phrase]:
    """The phrases of a prompt, the first of which tells the background, each thing in a colour."""
    taken, found = colours_of(phrases), [phrases[0]]
    for thing in phrases[1:]:
        found.append({"colour": showing(taken, rng), **thing})
        taken.append(found[-1]["colour"])
    return found


def with_words(
    phrases: Sequence[Phrase], rng: Random, choices: Mapping[str, Sequence[str]]
) -> list[Phrase]:
    """The same with a word in each of these roles for each thing."""
    return [
        phrases[0],
        *({**{r: rng.choice(words) for r, words in choices.items()}, **t} for t in phrases[1:]),
    ]


def with_relations(
    phrases: Sequence[Phrase], rng: Random, relations: Sequence[str]
) -> list[Phrase]:
    """The same with each thing in a relation to the next one: where one is told, in that."""
    told = [thing["relation"] for thing in phrases if "relation" in thing]
    chain = told[0] if told else rng.choice(relations)
    return [
        phrases[0],
        *({"relation": chain, **thing} for thing in phrases[1:-1]),
        *phrases[1:][-1:],
    ]


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


def colours_of(phrases: Sequence[Phrase]) -> list[str]:
    return [word for phrase in phrases for word in phrase.values() if word in COLOURS]


def showing(taken: Sequence[str], rng: Random) -> str:
    """A colour that shows beside all these."""
    return rng.choice([one for one in COLOURS if all(apart(one, other) for other in taken)])
