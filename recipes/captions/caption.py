"""Phrases of any modality → a caption."""

import re
from collections.abc import Sequence
from random import Random

from omnifex_prism.glossary import lexicons
from omnifex_prism.vocabulary import Phrase
from recipes.captions.scenes import write_scene
from recipes.captions.sounds import write_sound
from recipes.captions.writer import Writer

OPENINGS = {
    "image": ("a picture of ", "please draw ", "show me ", "there is "),
    "video": ("a video of ", "a clip showing ", "please show ", "let me see "),
    "mesh": ("a 3D model of ", "please make ", "a mesh of ", "there is "),
    "audio": ("the sound of ", "please play ", "let me hear ", "a recording of "),
}
AMBIGUOUS = re.compile(r"a (major|minor|maj|min)\b")  # with a capital, a chord in A


def write(modality: str, phrases: Sequence[Phrase], rng: Random) -> str:
    """A caption of phrases, as `Scene.phrases()` gives them, whose words may be left out."""
    writer = Writer(lexicons()[modality], rng)
    if modality == "audio":
        text = write_sound(writer, phrases[0])
    elif modality == "mesh":
        text = write_scene(writer, "solid", {}, phrases)
    else:
        text = write_scene(writer, "shape", phrases[0], phrases[1:])
    if text.startswith("a ") and writer.sometimes(0.4):
        text = writer.either(*OPENINGS[modality]) + text
    return finished(writer, text)


def finished(writer: Writer, text: str) -> str:
    """Right articles; a capital and a full stop, or not."""
    text = re.sub(r"\ba (?=[aeiou]|[AE]\d)", "an ", text)
    if writer.sometimes(0.5) and not AMBIGUOUS.match(text):
        text = text[:1].upper() + text[1:]
    return text + writer.either("", "", ".")
