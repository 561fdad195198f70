"""Captions of sounds."""

from omnifex_audio.words import frequency
from omnifex_prism.vocabulary import Phrase
from recipes.captions.writer import Writer

FRONT = ("noise", "speed", "direction", "envelope", "waveform", "pitch", "quality")
BEHIND = {
    "waveform": (" with a {} wave", " made of {} waves", ", {}"),
    "pitch": (" at {}", " on {}", " starting at {}", " on the pitch {}"),
    "quality": (" in {}", ", {}"),
    "envelope": (", {}", " that is {}"),
    "direction": (", {}", " that is {}"),
    "speed": (" at a {} pace", ", {}", " with a {} tempo"),
    "noise": (" with a {} spectrum", ", {}"),
}
NEVER_IN_FRONT = (
    "up", "upwards", "rises", "down", "downwards", "falls", "pulses", "swells", "tremolo",
    "crescendo", "decrescendo", "diminuendo", "pizzicato",
)  # fmt: skip
OPEN = ("some kind of sound", "some sound", "any sound")
BURSTS = ("bursts of noise", "noise bursts", "bursts")
TIMES = {"one": "once", "two": "twice", "three": "three times", "four": "4 times"}


def write_sound(writer: Writer, phrase: Phrase) -> str:
    """A noun for the kind, with each word before or behind it."""
    kind = phrase.get("kind")
    front, behind = [], ""
    for role in (role for role in FRONT if role in phrase):
        text = spelled(writer, role, phrase[role])
        if kind and " " not in text and text not in NEVER_IN_FRONT and writer.sometimes(0.5):
            front.append(text)
        elif role in ("envelope", "direction") and text.split()[0].endswith("s"):
            behind += f" that {text}"
        else:
            behind += writer.either(*BEHIND[role]).format(text)
    if kind is None:
        times = ", " + TIMES[phrase["count"]] if "count" in phrase else ""
        return writer.either(*OPEN) + behind + times
    noun = writer.say("kind", kind)
    if "count" in phrase:
        return counted(writer, phrase["count"], front, noun) + behind
    return " ".join(["a", *front, noun]) + behind


def spelled(writer: Writer, role: str, word: str) -> str:
    if role != "pitch":
        return writer.say(role, word)
    return writer.either(word, word, word.lower(), f"{round(frequency(word))} Hz")


def counted(writer: Writer, count: str, front: list[str], noun: str) -> str:
    """'three white noise bursts', 'white noise in three bursts', 'white noise, three times'."""
    number = writer.either(count, str(("one", "two", "three", "four").index(count) + 1))
    bursts = " ".join([number, *front, writer.either(*BURSTS)])
    if count == "one":
        bursts = bursts.replace("bursts", "burst")
    whole = " ".join(["a", *front, noun])
    return writer.either(bursts, f"{whole}, {TIMES[count]}")
