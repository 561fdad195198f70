"""What a reader saw, and how much of a prompt it agrees with."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, permutations

from omnifex_prism.vocabulary import Phrase

Tally = Mapping[str, tuple[int, int]]
"""By kind of attribute: how many were read back right, of how many that were told."""


@dataclass(frozen=True)
class Seen:
    """A thing that a reader saw, in the words of the prompt, and where its middle is."""

    words: Phrase
    centre: tuple[float, ...]


@dataclass(frozen=True)
class Reading:
    whole: (
        Phrase | None
    )  # what is told of the whole artifact, in the first phrase; None: nothing is
    things: tuple[Seen, ...] = ()
    relations: Mapping[tuple[int, int], str] | None = None  # of one thing to another, by position
    alike: Mapping[str, frozenset[str]] = field(
        default_factory=dict
    )  # words no reader can tell apart

    def says(self, role: str, word: str) -> bool:
        """Whether the whole is as told."""
        found = (self.whole or {}).get(role)
        return found == word or {found, word} <= self.alike.get(role, frozenset())

    def relation(self, one: int | None, other: int | None) -> str | None:
        if one is None or other is None or self.relations is None:
            return None
        return self.relations[one, other]


def score(phrases: Sequence[Phrase], reading: Reading) -> Tally:
    """Compare what was told with what was seen; only what was told counts.

    Told things are paired with seen ones so that most attributes are right. A thing that is not
    there has all its attributes wrong. "number" is right when as many things are there as told.
    """
    if reading.whole is None:
        return compare_things(phrases, reading)
    pairs = [(role, reading.says(role, word)) for role, word in phrases[0].items()]
    if reading.relations is None:
        return tally(pairs)
    return add(tally(pairs), compare_things(phrases[1:], reading))


def compare_things(told: Sequence[Phrase], reading: Reading) -> Tally:
    """The tally of the best pairing."""
    spots = [*range(len(reading.things)), *[None] * len(told)]
    pairings = set(permutations(spots, len(told)))
    best = max((compare(told, pairing, reading) for pairing in pairings), key=rights)
    return add(best, {"number": (int(len(told) == len(reading.things)), 1)})


def compare(told: Sequence[Phrase], pairing: Sequence[int | None], reading: Reading) -> Tally:
    right = [
        (role, spot is not None and reading.things[spot].words.get(role) == word)
        for phrase, spot in zip(told, pairing, strict=True)
        for role, word in phrase.items()
        if role != "relation"
    ]
    for (phrase, *_), (one, other) in zip(pairwise(told), pairwise(pairing), strict=True):
        if "relation" in phrase:
            right.append(("relation", reading.relation(one, other) == phrase["relation"]))
    return tally(right)


def tally(pairs: Iterable[tuple[str, bool]]) -> Tally:
    found: dict[str, tuple[int, int]] = {}
    for role, right in pairs:
        rights, told = found.get(role, (0, 0))
        found[role] = (rights + right, told + 1)
    return found


def add(one: Tally, other: Tally) -> Tally:
    kinds = list(dict.fromkeys((*one, *other)))
    pairs = {kind: (one.get(kind, (0, 0)), other.get(kind, (0, 0))) for kind in kinds}
    return {kind: (a[0] + b[0], a[1] + b[1]) for kind, (a, b) in pairs.items()}


def rights(counted: Tally) -> int:
    return sum(right for right, _ in counted.values())


def share(counted: Tally) -> float:
    """The share of all told attributes that is right."""
    told = sum(told for _, told in counted.values())
    return rights(counted) / told if told else 1.0
