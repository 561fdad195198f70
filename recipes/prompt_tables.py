"""Write the tables of docs/prompts.md: python -m recipes.prompt_tables"""

import re
from pathlib import Path

from omnifex_prism.glossary import lexicons, table

PAGE = Path(__file__).parents[1] / "docs" / "prompts.md"
BLOCK = re.compile(r"(<!-- words: (?P<modality>\w+) -->\n).*?(<!-- end -->)", re.S)


def filled(text: str) -> str:
    """The page with a fresh table in each of its blocks."""
    return BLOCK.sub(lambda block: f"{block[1]}\n{table(lexicons()[block[2]])}\n\n{block[3]}", text)


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text()))
