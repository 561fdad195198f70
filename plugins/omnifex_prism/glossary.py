"""The words that prompts know, of every installed plugin that has a `prompts.LEXICON`.

python -m omnifex_prism.glossary [MODALITY]
"""

import importlib
import sys
from collections.abc import Sequence
from functools import cache
from importlib.metadata import entry_points

from omnifex_prism.reading import Lexicon
from omnifex_prism.refusals import listed

SHOWN = 12  # texts of a word; "sliding to the right" has many sisters


@cache
def lexicons() -> dict[str, Lexicon]:
    """Lexicons by modality."""
    found = {}
    for plugin in sorted(entry_points(group="omnifex"), key=lambda point: point.value):
        try:
            lexicon = importlib.import_module(f"{plugin.module}.prompts").LEXICON
        except Exception:  # it has none, or is broken, which is the plugin host's to tell
            continue
        if isinstance(lexicon, Lexicon):
            found[lexicon.modality] = lexicon
    return found


def elsewhere(word: str, here: str) -> str:
    """The other modalities whose prompts know a word: 'image and video', or nothing."""
    return listed([m for m, other in lexicons().items() if m != here and word in other.vocabulary])


def table(lexicon: Lexicon) -> str:
    """A lexicon as a Markdown table: a line a word, with what else is read as it."""
    lines = ["| role | word | also written | taken for it, with a note |", "|---|---|---|---|"]
    for role, spellings in lexicon.words.items():
        near = lexicon.near.get(role, {})
        for word in spellings:
            also, taken = lexicon.spellings(role, word)[1:], near.get(word, ())
            lines.append(f"| {role} | **{word}** | {some(also)} | {some(taken)} |")
    return "\n".join(lines)


def some(texts: Sequence[str]) -> str:
    return ", ".join(texts[:SHOWN]) + (", …" if len(texts) > SHOWN else "")


def main(asked: list[str]) -> int:
    known = lexicons()
    for modality in asked or list(known):
        if modality not in known:
            print(f"No prompts of {modality!r}; there are {listed(list(known))}.", file=sys.stderr)
            return 2
        print(f"{modality}\n\n{table(known[modality])}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
