"""Words of one modality, drawn at random from all that its prompts understand."""

import re
from dataclasses import dataclass
from random import Random

from omnifex_prism.reading import Lexicon

SIDES = re.compile(r"\b(to|on|at|towards) (?=(left|right|top|bottom|side)\b)")


@dataclass
class Writer:
    lexicon: Lexicon
    rng: Random

    def say(self, role: str, word: str) -> str:
        """Any spelling of a word."""
        return self.either(*self.lexicon.spellings(role, word))

    def either(self, *texts: str) -> str:
        return self.rng.choice(texts)

    def sometimes(self, share: float) -> bool:
        return self.rng.random() < share


def with_articles(text: str) -> str:
    """'to left of' → 'to the left of': spellings are kept without articles."""
    if text.startswith("on top") or "from " in text:
        return text
    return SIDES.sub(r"\1 the ", text).replace("in circle", "in a circle")
