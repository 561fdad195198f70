"""Backgrounds in prompts: 'on navy', 'a red to blue gradient', 'red and white stripes', …

The items of a prompt are spelled as one letter each, and a way of telling a background is a
regular expression of these letters: c a colour, k a kind (plain, gradient, striped), b
'background', B 'in the background', o 'on', x 'to', f 'from', e 'ending in', A an article, p a
place, t part of a thing.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from omnifex_prism.reading import ARTICLE, Item, Spellings
from omnifex_prism.refusals import MisplacedWord, contradictory
from omnifex_prism.vocabulary import Phrase

GROUND_MARKS: Mapping[str, Spellings] = {
    "ground mark": {
        "b": ("background", "backdrop", "wallpaper", "bg"),
        "B": ("in background", "as background", "for background", "behind it"),
        "o": ("on", "upon", "against", "in front of"),
        "x": ("to", "into"),
        "f": ("from",),
        "e": ("ending in", "ending with", "that ends in", "ends in"),
    }
}
LETTERS = {
    "ground mark": "", ARTICLE: "A", "colour": "c", "background": "k", "place": "p",
    "size": "t", "shape": "t", "number": "t",
}  # fmt: skip
BREAKS = {"and": "&", "with": "w", ",": ",", ":": ":"}
UPON = ("over", "above", "on top of")  # relations that a background may follow

ALONE = r"(?!A?[ct]|[&x]A?c*t)"  # and no beginning of a thing
BEFORE, BEHIND, AFTER = r"[or]?A?", r"(?:b[w:]?|B,?)A?", r"(?:b|oA?b|B)?"
ONE, TWO, KIND, JOIN = r"(?P<ground>c)", r"(?P<second>c)", r"(?P<kind>k)", r"(?:&|(?P<to>x)A?)"
ENDS = rf"{ONE}(?:A?(?P<start>p))?{JOIN}{TWO}(?:A?p)?"  # navy (at the top) to white (at the bottom)
TOLD = (
    rf"(?:fA?)?{ONE}{JOIN}?{TWO}{KIND}(?!c?t)",  # red and white stripes
    rf"{KIND}b?[wo:]?A?{ENDS}{ALONE}",  # stripes of red and white
    rf"{KIND}b?,?fA?{ENDS}{ALONE}",  # a gradient, from red to blue
    rf"{KIND}{ONE}{JOIN}?{TWO}(?=b)",  # a striped red and white background
    rf"(?:fA?)?{ONE}{JOIN}{TWO}(?=[bB])",  # a red to blue background
    rf"{BEHIND}(?:fA?)?{ENDS}{ALONE}",  # a background from red to blue
    rf"oA?{ONE}{JOIN}{TWO}(?![kbB]){ALONE}",  # on red and white
    rf"{KIND}?b?e{TWO}",  # a gradient ending in white
    rf"{ONE}{KIND}(?!A?t)",  # navy stripes
    rf"{KIND}b?[wof]?A?{ONE}(?:(?=[bB])|{ALONE})",  # a plain navy background
    rf"{BEHIND}{ONE}{ALONE}",  # the background is navy
    rf"{ONE}(?=[bB])",  # a navy background
    rf"oA?{ONE}(?![kbB]){ALONE}",  # on navy
    rf"{KIND}(?:(?=[bB])|{ALONE})",  # striped
    r"(?=b)",
)
PATTERNS = [
    re.compile(("" if told.startswith("o") else rf"{BEFORE}(?:{BEHIND})?") + told + AFTER)
    for told in TOLD
]


def read_ground(items: Sequence[Item]) -> tuple[Phrase, list[Item], list[str]]:
    """The background's phrase, empty where none is told, the items of the things, and notes."""
    letters = "".join(letter(item) for item in items)
    found = list(matches(letters))
    if len(found) > 1:
        one, other = (" ".join(i.text for i in items[m.start() : m.end()]) for m in found[:2])
        raise contradictory("the background", one, other, "tell one background")
    rest, notes = list(items), []
    phrase: Phrase = {}
    for match in found:
        phrase = ground_of(match, items)
        if letters[: match.start()].endswith("tw") and not {*match[0]} & {*"bBo"}:
            text = " ".join(item.text for item in items[match.start() : match.end()])
            notes.append(f"took {text!r} for the background")  # "a circle with red stripes"
        rest[match.start() : match.end()] = [Item("break", ",", "")]
    return phrase, things_only(rest), notes


def unseen(ground: Phrase, things: Sequence[Phrase]) -> list[str]:
    """A note for each thing in the very colour of a plain background."""
    plain = ground.get("ground") if ground.get("background") == "plain" else None
    return [
        f"a {plain} thing cannot be seen on a {plain} background"
        for thing in things
        if plain and thing.get("colour") == plain
    ]


def letter(item: Item) -> str:
    if item.role == "break":
        return BREAKS[item.word]
    if item.role == "relation":
        return "r" if item.text in UPON else "?"
    return LETTERS.get(item.role, "?") or item.word


def matches(letters: str) -> Iterator[re.Match[str]]:
    """The backgrounds: of those that begin first the longest, and so on behind it."""
    at = 0
    while found := [
        m for pattern in PATTERNS if (m := pattern.search(letters, at)) and m.end() > at
    ]:
        best = min(found, key=lambda match: (match.start(), -match.end()))
        yield best
        at = best.end()


def ground_of(match: re.Match[str], items: Sequence[Item]) -> Phrase:
    spans = {name: match.start(name) for name, text in match.groupdict().items() if text}
    told = {name: items[at].word for name, at in spans.items() if name in ("ground", "second")}
    if "start" in spans and items[spans["start"]].word == "bottom":
        told = {"ground": told["second"], "second": told["ground"]}
    phrase = {"background": items[spans["kind"]].word} if "kind" in spans else {}
    if not phrase and "to" in spans:
        phrase = {"background": "gradient"}
    elif not phrase and set(told) == {"ground"} and "B" not in match[0]:
        phrase = {"background": "plain"}
    names = {"ground": "ground", "second": "second ground"}
    return phrase | {names[name]: word for name, word in told.items()}


def things_only(items: Sequence[Item]) -> list[Item]:
    """The items without marks of backgrounds; 'on' before a thing is taken for 'above'."""
    kept = []
    for at, item in enumerate(items):
        ahead = [i for i in items[at + 1 : at + 3] if i.role != ARTICLE][:1]
        if item.role == "background" and item.word != "plain":
            raise MisplacedWord(
                f"only a background can be {item.text!r}, not a thing; say 'on a {item.word} "
                "background' or leave it out."
            )
        if item.role != "ground mark":
            kept += [item] if item.role != "background" else []
        elif item.text in ("on", "upon") and ahead and ahead[0].role in ("size", "colour", "shape"):
            kept.append(Item("relation", "above", item.text, near=True))
        elif item.text != "on" or not ahead or ahead[0].role != "place":
            raise MisplacedWord(
                f"{item.text!r} is understood only of a background, as in 'on a navy background' "
                "or 'a red to blue gradient'; leave it out or say it so."
            )
    return kept
