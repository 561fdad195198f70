"""Reading prompts: free text → known words, each in its role; what is not known is refused."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from omnifex_prism import refusals
from omnifex_prism.vocabulary import Phrase

Spellings = Mapping[str, tuple[str, ...]]  # word → what people write for it

FILLER, ARTICLE = "filler", "article"
TOKEN = re.compile(r"\d+(?:\.\d+)?[^\W_]*|[^\W_]+(?:'[^\W_]+)*|\S")
JOINED = re.compile(r"(?<=\w)[-‐‑_](?=\w)")  # top-left, mid_sized
NEGATIONS = frozenset(("no", "not", "without", "never", "none", "nothing", "except", "cannot"))


@dataclass(frozen=True)
class Token:
    text: str  # in lower case
    raw: str  # as written: a bare "A" may be a pitch


@dataclass(frozen=True)
class Item:
    """A known word of a prompt, with the text that it was read from."""

    role: str
    word: str
    text: str
    near: bool = False  # the text means something else, but nothing known is nearer
    plural: bool = False


# Finds an item that no table can list, such as "440 Hz", and where the next one begins.
Recogniser = Callable[[Sequence[Token], int], tuple[Item, int] | None]


@dataclass(frozen=True)
class Reading:
    """A prompt as its conditioner was trained to see it, and what was assumed, a line each."""

    phrases: tuple[Phrase, ...]
    notes: tuple[str, ...] = ()


def tokenise(prompt: str) -> list[Token]:
    """Split into words, numbers and marks; accents of writing (’ “ – full width) do not matter."""
    plain = unicodedata.normalize("NFKC", prompt).replace("’", "'")
    return [Token(raw.lower(), raw) for raw in TOKEN.findall(JOINED.sub(" ", plain))]


def singulars(text: str) -> Iterator[str]:
    """The text, and what it may be the plural of."""
    yield text
    yield from (text[: -len(end)] for end in ("s", "es") if text.endswith(end))


@dataclass(frozen=True)
class Lexicon:
    """All that a modality's prompts understand.

    `words` and `near` hold the vocabulary's words by role: other spellings, and texts that are only
    near in meaning (they are noted). `marks` are the words that join things, by role.
    """

    modality: str
    words: Mapping[str, Spellings]
    near: Mapping[str, Spellings] = field(default_factory=dict)
    marks: Mapping[str, Spellings] = field(default_factory=dict)
    fillers: frozenset[str] = frozenset()  # they say nothing, and are dropped
    recognisers: tuple[Recogniser, ...] = ()

    def spellings(self, role: str, word: str) -> tuple[str, ...]:
        """All texts that mean a word in a role, the word itself first."""
        return tuple(dict.fromkeys((word, *self.words[role][word])))

    @cached_property
    def terms(self) -> dict[str, Item]:
        """What each text means; texts hold no articles, and one space between words."""
        found = {text: Item(FILLER, "", text) for text in self.fillers}
        found |= {text: Item(ARTICLE, "", text) for text in ("a", "an", "the")}
        for tables, near in ((self.marks, False), (self.near, True)):
            for role, spellings in tables.items():
                for word, texts in spellings.items():
                    found |= {text: Item(role, word, text, near) for text in texts}
        for role, spellings in self.words.items():
            for word in spellings:
                found |= {t: Item(role, word, t) for t in self.spellings(role, word)}
        return found

    @cached_property
    def longest(self) -> int:
        return max(text.count(" ") + 1 for text in self.terms)

    @cached_property
    def meaningful(self) -> tuple[str, ...]:
        """All texts that say something."""
        silent = (FILLER, ARTICLE, "break")
        return tuple(text for text, item in self.terms.items() if item.role not in silent)

    @cached_property
    def vocabulary(self) -> frozenset[str]:
        """The words that say something by themselves, or within a longer text ('corner')."""
        words = {word for text in self.meaningful for word in text.split()} - self.fillers
        telling = {
            word for word in words if word in self.terms and self.terms[word].role in self.words
        }
        return frozenset(telling | {word for word in words if len(word) > len("the")})

    def scan(self, prompt: str) -> list[Item]:
        """Return a prompt's items in order, without fillers. Raises UnknownWord."""
        tokens, items, strange, at = tokenise(prompt), [], [], 0
        while at < len(tokens):
            found = self.find(tokens, at)
            if found is None:
                strange.append(tokens[at].text)
                at += 1
            else:
                item, at = found
                items.append(item)
        if strange:
            raise self.refuse(strange)
        return [item for item in items if item.role != FILLER]

    def find(self, tokens: Sequence[Token], at: int) -> tuple[Item, int] | None:
        """The longest item that begins at a token, and where the next one begins."""
        for recognise in self.recognisers:
            if found := recognise(tokens, at):
                return found
        for text, end in reversed(list(stretches(tokens, at, self.longest))):
            for singular in singulars(text):
                if known := self.terms.get(singular):
                    return self.item(known, text), end
        return None

    def item(self, known: Item, text: str) -> Item:
        return Item(known.role, known.word, text, known.near, plural=text != known.text)

    def refuse(self, strange: Sequence[str]) -> refusals.UnknownWord:
        from omnifex_prism.glossary import elsewhere  # late: only refusals need the other plugins

        for word in strange:
            if word in NEGATIONS or word.endswith("n't"):
                return refusals.negated(self.modality, word)
        words = list(dict.fromkeys(strange))
        foreign = [word for word in words if word not in self.vocabulary]
        others = {word: where for word in foreign if (where := elsewhere(word, self.modality))}
        return refusals.unknown(self.modality, words, self.meaningful, others)


def stretches(tokens: Sequence[Token], at: int, longest: int) -> Iterator[tuple[str, int]]:
    """Texts of 1, 2, … words from a token on, over articles, each with where it ends."""
    words: list[str] = []
    for end in range(at, len(tokens)):
        if words and tokens[end].text in ("a", "an", "the"):
            continue
        words.append(tokens[end].text)
        yield " ".join(words), end + 1
        if len(words) == longest:
            return


def approximations(items: Sequence[Item]) -> list[str]:
    """A note for each text that was taken for something that it does not quite mean."""
    return list(dict.fromkeys(f"took {i.text!r} for {i.word!r}" for i in items if i.near))
