"""Captions of things on a background."""

from collections.abc import Sequence

from omnifex_prism.vocabulary import Phrase
from recipes.captions.writer import Writer, with_articles

ANYTHING = ("thing", "shape", "object")
GROUNDS = {  # by what is told; g, s and k are the colours and the kind
    "plain ground": ("a {g} background", "a {k} {g} backdrop", "{g}", "{k} {g}", "a {g} wallpaper"),
    "plain": ("a {k} background", "a {k} backdrop"),
    "gradient ground second": (
        "a {g} to {s} gradient", "a {g} to {s} background", "a gradient from {g} to {s}",
        "a background with a gradient from {g} to {s}", "a background {k} from {g} to {s}",
        "a gradient from {g} at the top to {s} at the bottom",
        "a gradient from {s} at the bottom to {g} at the top", "a backdrop fading from {g} to {s}",
    ),
    "striped ground second": (
        "{g} and {s} stripes", "a striped {g} and {s} background", "stripes of {g} and {s}",
        "a background of {g} and {s} stripes", "a {g} and {s} striped backdrop",
        "a background with {g} and {s} stripes",
    ),
    "gradient": ("a gradient background", "a gradient"),
    "striped": ("a striped background", "a stripy backdrop", "stripes"),
    "gradient ground": ("a {g} gradient", "a {g} gradient background"),
    "striped ground": ("{g} stripes", "a {g} striped background"),
    "gradient second": ("a gradient ending in {s}", "a gradient background that ends in {s}"),
    "striped second": ("stripes ending in {s}", "a striped background that ends in {s}"),
    "ground second": ("a {g} and {s} background", "a {g} and {s} backdrop"),
    "second": ("a background ending in {s}", "a backdrop that ends in {s}"),
    "ground": ("{g} in the background",),
}  # fmt: skip


def write_scene(writer: Writer, head: str, ground: Phrase, things: Sequence[Phrase]) -> str:
    told = write_things(writer, head, things)
    if not ground:
        return told
    behind = write_ground(writer, ground)
    if not told:
        return behind
    if set(ground) == {"ground"}:
        return f"{told} with {behind}"
    on = writer.either("on", "against", "in front of") + " " + behind
    forms = [f"{told} {on}", f"{told}, {on}", f"{on}, {told}", f"{told}. {on}"]
    if not any(word in behind for word in ("background", "backdrop", "wallpaper")):
        forms += [f"{told}. The background is {behind}", f"the background is {behind}. {told}"]
    return writer.either(*forms)


def write_ground(writer: Writer, ground: Phrase) -> str:
    colours = {"ground": "g", "second ground": "s"}
    kind = ground.get("background", "")
    told = [kind] + [role.split()[0] for role in colours if role in ground]
    words = {
        colours[role]: writer.say("colour", ground[role]) for role in colours if role in ground
    }
    if kind:
        words["k"] = writer.either(kind, "solid") if kind == "plain" else kind
    return writer.either(*GROUNDS[" ".join(told).strip()]).format(**words)


def write_things(writer: Writer, head: str, things: Sequence[Phrase]) -> str:
    text = ""
    for at, phrase in enumerate(things):
        thing = write_thing(writer, head, phrase, first=at == 0)
        text += joined(writer, things[at - 1], thing) if at else thing
    return text


def joined(writer: Writer, before: Phrase, thing: str) -> str:
    """A thing behind the one before it, which may tell how they stand."""
    relation = before.get("relation")
    if relation is None:
        return writer.either(" and ", ", ", "; ", ". ", ", and ", " as well as ") + thing
    if writer.sometimes(0.15):
        texts = writer.lexicon.marks["after"][relation]  # "at the top left of it" has two readings
        after = writer.either(*(t for t in texts if not t.startswith(("left", "right"))))
        return f" with {thing} {with_articles(after)}"
    text = with_articles(writer.say("relation", relation))
    return writer.either(f" {text} {thing}", f" is {text} {thing}", f", {text} {thing}")


def write_thing(writer: Writer, head: str, phrase: Phrase, *, first: bool) -> str:
    noun = writer.say(head, phrase[head]) if head in phrase else writer.either(*ANYTHING)
    adjectives = [writer.say(role, phrase[role]) for role in ("size", "colour") if role in phrase]
    if writer.sometimes(0.1):
        adjectives.reverse()
    if adjectives and writer.sometimes(0.15):
        linking = writer.either(" that is ", " which is ", ", ")
        text = noun + linking + " and ".join(adjectives)
    else:
        text = " ".join([*adjectives, noun])
    if "motion" in phrase:
        text = moving(writer, phrase["motion"], text)
    if "place" in phrase:
        return placed(writer, phrase["place"], text, first=first)
    return f"a {text}"


def moving(writer: Writer, motion: str, text: str) -> str:
    """'bouncing red ball', 'red ball bouncing', 'red ball that bounces', 'red ball bounces'."""
    said = with_articles(writer.say("motion", motion))
    if said.endswith("ing") and " " not in said and writer.sometimes(0.4):
        return f"{said} {text}"
    verb = said.split()[0].endswith("s") and said.split()[0] != "motionless"
    if verb or said.split()[0].endswith("ing"):
        return writer.either(f"{text} {said}", f"{text} that {said}" if verb else f"{text}, {said}")
    return f"{text} that is {said}"


def placed(writer: Writer, place: str, text: str, *, first: bool) -> str:
    name = writer.say("place", place)
    if name in ("centered", "centred"):
        return f"a {text}, {name}"
    forms = [
        f"in the {name}",
        f"at the {name}",
        f"near the {name}",
        f"at the {name} of the picture",
    ]
    if " " in place:
        forms.append(f"in the {name} corner")
    if place in ("left", "right"):
        forms += [f"on the {name} side", f"on the {name} of the image"]
    where = writer.either(*forms)
    if first and writer.sometimes(0.25):
        return writer.either(f"{where}, a {text}", f"{where} is a {text}")
    return f"the {name} {text}" if writer.sometimes(0.15) else f"a {text} {where}"
