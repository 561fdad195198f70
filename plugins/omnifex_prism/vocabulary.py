"""A vocabulary: which words a conditioner knows in which role, and the ids that stand for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

Phrase = Mapping[str, str]  # role → word; what is not said is not there


@dataclass(frozen=True)
class Vocabulary:
    """Words by role, for prompts of at most `phrases` phrases.

    Id 0 means "not said". An id names a word in a role, so "orange" as the colour of an object and
    of a background are two ids.
    """

    roles: Mapping[str, tuple[str, ...]]
    phrases: int

    @cached_property
    def ids(self) -> dict[tuple[str, str], int]:
        pairs = [(role, word) for role, words in self.roles.items() for word in words]
        return {pair: number for number, pair in enumerate(pairs, start=1)}

    @property
    def size(self) -> int:
        return len(self.ids) + 1

    def encode(self, phrases: Sequence[Phrase]) -> list[list[int]]:
        """Return the ids of a prompt: a row a phrase, a column a role, (phrases, roles)."""
        padded = [*phrases, *({} for _ in range(self.phrases - len(phrases)))]
        return [
            [self.ids[role, phrase[role]] if role in phrase else 0 for role in self.roles]
            for phrase in padded
        ]
