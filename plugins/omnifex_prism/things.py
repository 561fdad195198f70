"""Things in prompts: 'a small red star left of a large blue ring' → a phrase a thing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from omnifex_prism.reading import ARTICLE, Item, Spellings
from omnifex_prism.refusals import MisplacedWord, TooManyThings, contradictory

OPENING = (ARTICLE, "number", "everyone")
LINKS = ("relation", "after", "all", "between")
BETWEEN: Spellings = {"left of": ("between", "in between")}
AHEAD = {"size", "colour"}  # said before what they belong to, as a rule
INVERSE = {
    "left of": "right of", "right of": "left of", "above": "below", "below": "above",
    "on top of": "under", "under": "on top of",
}  # fmt: skip

Told = dict[str, str]  # of one thing: role → word


@dataclass
class Group:
    """Words that stand together: a thing with its noun, or more about a neighbour."""

    opened: bool = False  # by an article or a number, as a new thing is
    count: int = 1
    told: Told = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    headed: bool = False
    plural: str = ""
    shared: bool = False  # "both blinking": it tells of all things

    def tell(self, item: Item, head: str) -> None:
        if item.role in self.texts and self.told.get(item.role, "") != item.word:
            raise self.clash(item.role, item.text)
        self.texts[item.role] = item.text
        if item.word:
            self.told[item.role] = item.word
        if item.role == head:
            self.headed = True
            self.plural = item.text if item.plural else ""

    def clash(self, role: str, text: str) -> Exception:
        return contradictory(
            f"the {role} of one thing", self.texts[role], text, "give each thing words of its own"
        )

    def fits(self, other: "Group") -> bool:
        return not self.texts.keys() & other.texts.keys()

    def join(self, other: "Group") -> None:
        for role in self.texts.keys() & other.texts.keys():
            raise self.clash(role, other.texts[role])
        self.texts |= other.texts
        self.told |= other.told


Part = Group | Item  # a group, or a link between groups


def read_things(
    items: Sequence[Item], *, head: str, limit: int, noun: str
) -> tuple[list[Told], list[str]]:
    """Things in the order of training, and notes; `head` is the role of their nouns.

    At most `limit` of them fit the artifact, which messages call `noun`.
    """
    parts = shared_out(attached(gather(items, head)))
    things, notes = linked(parts)
    if len(things) > limit:
        raise TooManyThings(
            f"{noun} holds at most {limit} things, and this prompt tells of {len(things)}; "
            f"leave out {len(things) - limit}."
        )
    notes += [
        f"took {part.plural!r} for one; say 'two {part.plural}' for more"
        for part in parts
        if isinstance(part, Group) and part.plural and part.count == 1
    ]
    check_line(things)
    return things, notes


def gather(items: Sequence[Item], head: str) -> list[Part]:
    """Cut the items into groups, at breaks, articles, links, and where a role is told again."""
    parts: list[Part] = []
    group: Group | None = None
    for item in items:
        if item.role in LINKS:
            parts.append(item)
            group = None
        elif item.role == "break":
            group = None
        elif item.text == "one" and group and not group.headed and (noun := last_noun(parts, head)):
            group.tell(noun, head)  # "a red ball and a blue one"
        elif item.role in OPENING:
            shared = item.role == "everyone"
            group = Group(opened=True, count=int(item.word or 1), shared=shared)
            parts.append(group)
        elif group is None or not group.headed or item.role != head or item.word:
            if group is None or (group.headed and item.role in group.texts):
                group = Group()
                parts.append(group)
            group.tell(item, head)  # but "thing" after a noun adds nothing: "a heart shaped thing"
    return [part for part in parts if isinstance(part, Item) or part.texts]


def last_noun(parts: Sequence[Part], head: str) -> Item | None:
    nouns = [p for p in parts if isinstance(p, Group) and p.headed]
    return Item(head, nouns[-1].told.get(head, ""), nouns[-1].texts[head]) if nouns else None


def attached(parts: Sequence[Part]) -> list[Part]:
    """Give each group without a noun to the neighbour that it tells about."""
    done: list[Part] = []
    for at, part in enumerate(parts):
        if isinstance(part, Item) or part.headed or part.shared:
            done.append(part)
            continue
        behind, ahead = (
            found if isinstance(found, Group) else None
            for found in (
                done[-1] if done else None,
                parts[at + 1] if at + 1 < len(parts) else None,
            )
        )
        host = host_of(part, behind, ahead)
        if host is None:
            done.append(part)  # a thing of which no noun is told
        else:
            host.join(part)
    return done


def host_of(part: Group, behind: Group | None, ahead: Group | None) -> Group | None:
    """Sizes and colours tell of what follows, unless an article divides them; others, of before."""
    forward = part.texts.keys() <= AHEAD and ahead is not None and not ahead.opened
    hosts = [host for host in ((ahead, behind) if forward else (behind, ahead)) if host]
    return next((host for host in hosts if host.fits(part)), hosts[0] if hosts else None)


def shared_out(parts: Sequence[Part]) -> list[Part]:
    """Tell every thing what 'both' or 'all' tells."""
    kept = [part for part in parts if isinstance(part, Item) or not part.shared]
    for part in parts:
        for thing in kept if isinstance(part, Group) and part.shared else ():
            if isinstance(thing, Group) and isinstance(part, Group):
                thing.join(part)
    return kept


def linked(parts: Sequence[Part]) -> tuple[list[Told], list[str]]:
    """The things, each with its relation to the next one, and notes of what was assumed."""
    things: list[Told] = []
    links: list[tuple[Item, int]] = []  # a link, and how many things are told before it
    for part in parts:
        if isinstance(part, Group):
            things += [dict(part.told) for _ in range(part.count)]
        else:
            links.append((part, len(things)))
    notes: list[str] = []
    for link, at in links:
        things = relate(things, link, at, notes)
    return things, notes


def relate(things: list[Told], link: Item, at: int, notes: list[str]) -> list[Told]:
    """Tell things of a link that stands behind `at` of them."""
    if link.role == "between" and len(things) == 3 and at < 2:
        one, two, three = (1, 0, 2) if at else (0, 2, 1)
        notes.append(f"took {link.text!r} for a row from left to right")
        row = [things[one], things[two], things[three]]
        return relate(row, Item("all", link.word, link.text), at, notes)
    if link.role == "relation" and at == 0 and len(things) == 2:  # "above a star, a circle"
        things, at = things[::-1], 1
    firsts = {"relation": [at - 1], "after": [at - 2], "all": [*range(len(things) - 1)]}
    for first in firsts.get(link.role, [-1]):
        if not 0 <= first < len(things) - 1:
            raise MisplacedWord(
                f"{link.text!r} needs a thing on both of its sides, as in 'a red star left of a "
                "blue one'; tell them in this order."
            )
        tell_relation(things[first], link)
    return things


def tell_relation(thing: Told, link: Item) -> None:
    if thing.setdefault("relation", link.word) != link.word:
        raise contradictory(
            "the relation of one thing",
            thing["relation"],
            link.word,
            "give each thing one relation",
        )


def check_line(things: Sequence[Told]) -> None:
    """Three things were only ever trained in one line."""
    told = list(dict.fromkeys(thing["relation"] for thing in things if "relation" in thing))
    if len(told) > 1:
        raise contradictory(
            "the line in which things stand", told[0], told[1], "use one relation for all of them"
        )


def places_to_relation(things: Sequence[Told], relations: Mapping[str, str], noun: str) -> None:
    """'A on the left, B on the right' → A left of B, where the model knows no places.

    `relations` is place → relation of a thing there to the other one. A thing alone is centred.
    """
    for at, thing in enumerate(things):
        place = thing.pop("place", None)
        if place is None or (place == "center" and len(things) == 1):
            continue
        if place not in relations or len(things) != 2:
            raise MisplacedWord(
                f"{noun} has no place {place!r}; say how two things stand, as in 'a red star "
                f"{relations['left']} a blue one', or leave the place out."
            )
        relation = relations[place] if at == 0 else INVERSE[relations[place]]
        tell_relation(things[0], Item("relation", relation, place))
