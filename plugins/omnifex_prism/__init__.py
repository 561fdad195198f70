"""Prism: the built-in models and the small language that they understand."""

from pathlib import Path

from omnifex import BuiltinModel, hookimpl
from omnifex_registry import allow_library

MODELS = Path(__file__).parent / "models"

allow_library("omnifex_prism")


@hookimpl
def register_models() -> list[BuiltinModel]:
    return [BuiltinModel(name, MODELS / name) for name in ("prism", "prism-ldm")]
