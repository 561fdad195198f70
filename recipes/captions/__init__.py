"""English for any phrases of the world: captions that no training has seen.

Synonyms, word order and sentences are drawn at random; what is written is read back as the same
phrases (tests/test_captions.py).
"""

from recipes.captions.caption import write

__all__ = ["write"]
