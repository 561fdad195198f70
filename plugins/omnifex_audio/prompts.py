"""Prompts of sounds: one tone, sweep, chord, arpeggio, rhythm or noise."""

from collections.abc import Mapping, Sequence

from omnifex_audio.pitches import RECOGNISERS
from omnifex_audio.words import COUNTS
from omnifex_prism.reading import ARTICLE, Item, Lexicon, Reading, approximations
from omnifex_prism.refusals import MisplacedWord, TooManyThings, contradictory, listed
from omnifex_prism.spellings import FILLERS, JOINTS

LEXICON = Lexicon(
    "audio",
    words={
        "kind": {
            "tone": ("note", "beep", "hum", "drone"),
            "sweep": ("glide", "glissando", "slide", "chirp"),
            "chord": ("triad",),
            "arpeggio": ("broken chord", "arpeggiated chord"),
            "rhythm": ("beat", "beeps", "repeated notes", "repeated tones"),
            "noise": ("hiss", "burst", "noise burst", "burst of noise"),
        },
        "waveform": {
            "sine": ("sinus", "sinusoidal", "sinusoid"),
            "square": ("rectangular",),
            "sawtooth": ("saw", "saw tooth"),
            "triangle": ("triangular",),
        },
        "envelope": {
            "steady": ("constant", "sustained", "even", "held", "continuous"),
            "fading in": ("fades in", "fade in", "getting louder", "gets louder", "crescendo"),
            "fading out": ("fades out", "fade out", "fading away", "fades away", "dying away",
                           "getting quieter", "gets quieter", "decrescendo", "diminuendo"),
            "plucked": ("plucky", "pizzicato", "like plucked string"),
            "pulsing": ("pulsating", "throbbing", "pulses", "tremolo"),
            "swelling": ("swells", "swelling and fading", "swells and fades"),
        },
        "quality": {"major": ("maj",), "minor": ("min",)},
        "direction": {
            "rising": ("ascending", "going up", "goes up", "upward", "upwards", "up", "climbing",
                       "rises", "from low to high"),
            "falling": ("descending", "going down", "goes down", "downward", "downwards", "down",
                        "falls", "from high to low"),
        },
        "speed": {
            "slow": ("slowly", "unhurried"),
            "medium": ("moderate", "mid tempo", "medium paced"),
            "fast": ("quick", "quickly", "rapid", "rapidly"),
        },
        "noise": {
            "white": (),
            "dark": ("brown", "deep", "rumbling", "muffled"),
            "bright": ("violet", "hissing"),
        },
        "count": {
            "one": ("1", "single", "once"),
            "two": ("2", "twice", "pair", "double"),
            "three": ("3", "thrice", "triple"),
            "four": ("4", "quadruple"),
        },
    },
    near={
        "waveform": {"sine": ("pure", "smooth"), "sawtooth": ("buzzing", "buzzy")},
        "quality": {"major": ("happy",), "minor": ("sad",)},
        "noise": {"dark": ("pink", "red"), "bright": ("blue",)},
    },
    marks={
        "break": JOINTS["break"],
        "too many": {n: texts for n, texts in JOINTS["number"].items() if int(n) > len(COUNTS)},
        "pitch": {"C4": ("middle c",), "A4": ("concert pitch",)},
        "open": {"": ("some kind of sound", "some sound", "any sound", "any kind of sound")},
    },
    fillers=FILLERS
    | {
        "sound", "audio", "wave", "waveform", "tempo", "pace", "speed", "key", "pitch", "played",
        "playing", "plays", "play", "sounding", "sounds", "hear", "from", "on", "starting", "times",
        "quality", "spectrum", "clip", "recording", "series", "sequence", "heard", "3 second",
        "3 seconds", "three second", "three seconds",
    },
    recognisers=RECOGNISERS,
)  # fmt: skip

ROLES = {
    "tone": ("waveform", "pitch", "envelope"),
    "sweep": ("waveform", "pitch", "direction"),
    "chord": ("waveform", "pitch", "envelope", "quality"),
    "arpeggio": ("waveform", "pitch", "quality", "direction"),
    "rhythm": ("waveform", "pitch", "speed"),
    "noise": ("noise", "count"),
}


def read(prompt: str) -> Reading:
    """The one phrase of a sound. Raises PromptRefused."""
    items = [i for i in LEXICON.scan(prompt) if i.role not in ("break", ARTICLE)]
    notes = approximations(items)
    told = gather(items)
    if "kind" not in told and "open" not in told and (kind := kind_for(told)):
        told["kind"] = Item("kind", kind, kind)
        notes.append(f"took the kind of sound for {kind!r}, as none is told")
    told.pop("open", None)
    check_roles(told)
    return Reading(({role: item.word for role, item in told.items()},), tuple(notes))


def gather(items: Sequence[Item]) -> dict[str, Item]:
    """Items by role. A word for a tone gives way to other kinds: 'a chord of sine tones'."""
    others = any(item.role == "kind" and item.word != "tone" for item in items)
    told: dict[str, Item] = {}
    for item in items:
        if item.role == "too many":
            raise TooManyThings(f"a noise has at most {len(COUNTS)} bursts, not {item.text!r}.")
        if item.role == "kind" and item.word == "tone" and others:
            continue
        known = told.setdefault(item.role, item)
        if known.word != item.word:
            raise contradictory(
                f"the {item.role} of a sound", known.text, item.text, "ask for one sound at a time"
            )
    noisy = told.get("kind", Item("kind", "noise", "")).word == "noise" and "pitch" not in told
    if not noisy and "count" in told and told["count"].word == "one":
        del told["count"]  # "one tone" is a tone
    return told


def kind_for(told: Mapping[str, Item]) -> str | None:
    """The plainest kind that has all the roles that are told."""
    fitting = [kind for kind, roles in ROLES.items() if told.keys() <= {*roles}]
    return fitting[0] if fitting and told else None


def check_roles(told: Mapping[str, Item]) -> None:
    """MisplacedWord for a word that means nothing for the kind of sound."""
    if "kind" not in told:
        return
    kind = told["kind"].word
    for role, item in told.items():
        if role != "kind" and role not in ROLES[kind]:
            label = "colour of noise" if role == "noise" else role
            raise MisplacedWord(
                f"a sound of the kind {kind!r} has no {label}, which {item.text!r} tells; it has "
                f"{listed(ROLES[kind])}."
            )
