"""Words that several modalities share: colours, shapes, sizes and places."""

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (220, 40, 40),
    "orange": (245, 140, 30),
    "yellow": (250, 220, 50),
    "green": (50, 170, 70),
    "cyan": (60, 210, 220),
    "blue": (45, 100, 230),
    "navy": (20, 30, 90),
    "purple": (130, 60, 180),
    "pink": (250, 150, 190),
    "brown": (125, 80, 45),
    "white": (245, 245, 245),
    "black": (25, 25, 25),
    "grey": (140, 140, 140),
}
ALIKE = {frozenset({"navy", "black"}), frozenset({"grey", "brown"})}  # too near to tell apart

SHAPES = (
    "circle",
    "square",
    "triangle",
    "star",
    "ring",
    "diamond",
    "heart",
    "cross",
    "moon",
    "arrow",
    "bar",
    "dome",
)

SIZES = ("small", "medium", "large")

PLACES = (
    "top left",
    "top",
    "top right",
    "left",
    "center",
    "right",
    "bottom left",
    "bottom",
    "bottom right",
)

RELATIONS = ("left of", "right of", "above", "below")
BACKGROUNDS = ("plain", "gradient", "striped")


def apart(one: str, other: str) -> bool:
    """Whether a thing of one colour shows on the other."""
    return one != other and frozenset({one, other}) not in ALIKE
