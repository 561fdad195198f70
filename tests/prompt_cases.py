"""What the tests of prompts share: captions that are written from scenes and read back."""

from collections.abc import Callable, Sequence
from random import Random

import pytest

from omnifex_prism.glossary import lexicons
from omnifex_prism.reading import Reading
from omnifex_prism.refusals import PromptRefused
from omnifex_prism.vocabulary import Phrase
from recipes.captions import write
from recipes.world.modalities import WORLDS

KEPT = (1.0, 1.0, 0.9, 0.6, 0.3)  # share of a scene's words that a caption tells


def phrases_of(reading: Reading) -> list[dict[str, str]]:
    return [dict(phrase) for phrase in reading.phrases]


def left_out(phrases: Sequence[Phrase], rng: Random) -> list[Phrase]:
    share = rng.choice(KEPT)
    return [{r: w for r, w in phrase.items() if rng.random() < share} for phrase in phrases]


def misread(modality: str, read: Callable[[str], Reading], count: int = 500) -> list[str]:
    """The captions of random scenes that are not read as the phrases they were written from."""
    found = []
    for seed in range(count):
        rng = Random(seed)
        phrases = left_out(WORLDS[modality].sample(rng).phrases(), rng)
        caption = write(modality, phrases, rng)
        if phrases_of(read(caption)) != phrases:
            found.append(caption)
    return found


def babble(modality: str, rng: Random) -> str:
    """Known texts, and a few pitches and numbers, in no order."""
    texts = [*lexicons()[modality].terms, "A", "c5", "440 Hz", "7"]
    return " ".join(rng.choice(texts) for _ in range(rng.randrange(1, 8)))


def refusal(read: Callable[[str], Reading], prompt: str) -> tuple[str, str]:
    """The code and the sentence with which a prompt is refused."""
    with pytest.raises(PromptRefused) as caught:
        read(prompt)
    return caught.value.code, str(caught.value)
