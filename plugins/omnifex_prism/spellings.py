"""What people write for the words that several modalities share."""

from collections.abc import Mapping

from omnifex_prism.reading import Spellings
from omnifex_prism.words import PLACES as NAMED_PLACES

COLOURS: Spellings = {
    "red": (),
    "orange": (),
    "yellow": (),
    "green": (),
    "cyan": ("aqua",),
    "blue": (),
    "navy": ("navy blue", "dark blue", "midnight blue"),
    "purple": ("violet",),
    "pink": ("light red",),
    "brown": (),
    "white": (),
    "black": (),
    "grey": ("gray",),
}
SHADES = ("bright", "light", "pale", "dark", "deep", "vivid")
NEAR_COLOURS: Spellings = {
    "red": ("crimson", "scarlet", "ruby", "maroon", "burgundy"),
    "orange": ("amber", "tangerine", "apricot"),
    "yellow": ("gold", "golden", "lemon"),
    "green": ("lime", "emerald", "olive", "mint", "jade"),
    "cyan": ("teal", "turquoise", "light blue", "sky blue", "pale blue"),
    "blue": ("azure", "cobalt", "royal blue", "sapphire"),
    "navy": ("deep blue",),
    "purple": ("indigo", "lavender", "lilac", "mauve", "plum"),
    "pink": ("magenta", "fuchsia", "rose", "salmon", "hot pink", "pale red"),
    "brown": ("beige", "tan", "chocolate", "bronze"),
    "white": ("ivory", "cream", "off white"),
    "black": ("ebony", "jet black"),
    "grey": ("silver", "charcoal", "slate"),
}

SIZES: Spellings = {
    "small": ("little", "tiny", "small sized", "mini"),
    "medium": ("medium sized", "mid sized", "average sized", "middle sized", "moderate"),
    "large": ("big", "huge", "giant", "large sized", "enormous"),
}

SHAPES: Spellings = {
    "circle": ("disc", "disk", "ball", "dot", "circular shape"),
    "square": ("box", "square shape"),
    "triangle": ("triangular shape",),
    "star": ("star shape", "five pointed star"),
    "ring": ("hoop", "donut", "doughnut", "annulus"),
    "diamond": ("rhombus", "lozenge", "diamond shape"),
    "heart": ("heart shape", "love heart"),
    "cross": ("plus sign", "plus"),
    "moon": ("crescent", "crescent moon", "half moon"),
    "arrow": ("arrow shape",),
    "bar": ("rectangle", "rectangular shape", "oblong"),
    "dome": ("semicircle", "half circle", "half disc"),
}
ANY_THING: Spellings = {"": ("thing", "shape", "object", "something", "figure")}

RELATIONS: Spellings = {
    "left of": ("to left of", "on left of", "at left of", "left side of", "on left side of"),
    "right of": ("to right of", "on right of", "at right of", "right side of", "on right side of"),
    "above": ("over", "on top of", "atop", "higher than"),
    "below": ("under", "underneath", "beneath", "lower than"),
}
BESIDE = ("next to", "beside", "near", "close to", "by side of", "adjacent to", "alongside")

# A blue star "to its left" tells of the thing before it that it is right of the star.
AFTER: Spellings = {
    "right of": ("on its left", "to its left", "at its left", "left of it", "to left of it"),
    "left of": ("on its right", "to its right", "at its right", "right of it", "to right of it"),
    "below": ("above it", "over it", "on top of it"),
    "above": ("below it", "under it", "underneath it", "beneath it"),
}
AFTER_BESIDE = ("next to it", "beside it", "near it", "at its side")
ALL: Spellings = {
    "left of": ("side by side", "in row", "in line", "next to each other", "beside each other"),
    "above": (
        "in column", "above each other", "on top of each other", "one above other",
        "one on top of other",
    ),
}  # fmt: skip

ROWS = {
    "top": ("top", "upper"),
    "center": ("center", "centre", "middle"),
    "bottom": ("bottom", "lower"),
}
COLUMNS = {"left": ("left",), "center": ("center", "centre", "middle"), "right": ("right",)}
PARTS = ("", " corner", " side", " edge", " part", " border", " hand side", " hand corner")
WHOLE = ("picture", "image", "frame", "canvas", "screen", "scene")

GROUNDS: Spellings = {
    "plain": ("solid", "uniform", "flat"),
    "gradient": ("gradation", "fading", "blending", "vertical gradient"),
    "striped": ("stripes", "stripe", "stripy", "vertical stripes", "vertically striped"),
}

JOINTS: Mapping[str, Spellings] = {
    "break": {
        "and": ("and", "&"),
        "with": ("with", "beside it is", "together with", "as well as"),
        ",": (*",;.!?()[]/\"'–—“”", "while", "whereas", "where"),
        ":": (":",),
    },
    "everyone": {"": ("both", "all", "each")},
    "number": {
        "1": ("1", "one", "single"),
        "2": ("2", "two", "pair", "couple", "twin"),
        "3": ("3", "three", "trio"),
        **{str(n): (str(n), text) for n, text in enumerate(
            ("four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"), start=4
        )},
    },
}  # fmt: skip

SAYING_NOTHING = """
please draw make create generate give render paint show showing shows depict depicting depicts
display displaying displays want would like i'd me us my i we let let's there there's here here's
is are it it's its be being that which has have having of in at contain contains containing
consisting consists featuring features some just only also very colour colors color colours coloured
colored shaped sized size placed positioned located set lying sits stands appear appears made art
prompt see can you could for
"""
FILLERS = frozenset(SAYING_NOTHING.split())


def place_axes(place: str) -> tuple[str, str]:
    """'top left' → ('top', 'left'); 'top' → ('top', 'center'); 'left' → ('center', 'left')."""
    words = place.split()
    row = next((word for word in words if word in ("top", "bottom")), "center")
    return row, next((word for word in words if word in ("left", "right")), "center")


def place_names(place: str) -> tuple[str, ...]:
    """'top left', 'upper left', …; 'bottom', 'bottom center', 'lower middle', …"""
    row, column = place_axes(place)
    if place == "center":
        return (*COLUMNS["center"], "centered", "centred")
    names = [f"{r} {c}" for r in ROWS[row] for c in COLUMNS[column]]
    return tuple(dict.fromkeys((place, *names)))


def place_texts(place: str) -> tuple[str, ...]:
    """'near upper left corner', …; other prepositions before them are fillers."""
    names = place_names(place)
    turned = [" ".join(reversed(name.split())) for name in names]  # "left top"
    texts = [
        f"{before}{name}{part}"
        for name in dict.fromkeys((*names, *turned))
        for part in PARTS
        for before in ("", "to ", "on ", "near ")
    ]
    if place in ("left", "right", "top"):  # "left of the picture", though "left of" is a relation
        texts += [
            f"{before}{place}{side} of {whole}"
            for whole in WHOLE
            for side in ("", " side")
            for before in ("", "to ", "on ", "at ")
        ]
    return tuple(texts)


PLACES: Spellings = {place: place_names(place) for place in NAMED_PLACES}
PLACE_TEXTS: Spellings = {place: place_texts(place) for place in NAMED_PLACES}


def shades() -> dict[str, tuple[str, ...]]:
    """NEAR_COLOURS, and 'dark red' for red where that is no colour of its own."""
    taken = {
        text for table in (COLOURS, NEAR_COLOURS) for texts in table.values() for text in texts
    }
    shaded = {c: [f"{s} {c}" for s in SHADES] for c in COLOURS if c not in ("black", "white")}
    return {
        colour: texts + tuple(text for text in shaded.get(colour, ()) if text not in taken)
        for colour, texts in NEAR_COLOURS.items()
    }
