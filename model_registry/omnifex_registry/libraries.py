"""Which packages a component's class may come from, and the class itself."""

import importlib
import importlib.util
from functools import cache
from pathlib import Path

from omnifex_registry.errors import LibraryRefused, UnknownClass

# Names in old checkpoints for classes that transformers 5 has dropped.
RENAMED = {"CLIPFeatureExtractor": "CLIPImageProcessor"}
_declared = {
    "diffusers",
    "transformers",
    *(f"omnifex_registry.{own}" for own in ("adapters", "backbones", "heads")),
}


def allow_library(name: str) -> None:
    """Let model_index.json name classes of this package, or of modules inside it.

    Called by a plugin for its own code: what is declared here is imported when a model names it.
    """
    _declared.add(name)


def check_library(library: str, role: str) -> None:
    """LibraryRefused unless `library` was declared and is installed."""
    if is_pipeline_module(library):
        return
    if not _is_declared(library):
        raise LibraryRefused(
            f"Component {role!r} wants a class of {library!r}, which is none of "
            f"{', '.join(sorted(_declared))}; install the plugin that declares it."
        )
    if not _is_installed(library):
        raise LibraryRefused(
            f"Component {role!r} wants a class of {library!r}, which is not installed; install it."
        )


def is_pipeline_module(library: str) -> bool:
    """Whether diffusers.pipelines has a folder of this name; found without importing it."""
    return pipeline_module(library) is not None


@cache
def pipeline_module(library: str) -> str | None:
    """The module of diffusers that a short name stands for; it keeps old ones further down."""
    spec = importlib.util.find_spec("diffusers")
    folders = [Path(folder) for folder in spec.submodule_search_locations or ()] if spec else []
    for place in ("pipelines", "pipelines/deprecated") if library.isidentifier() else ():
        if any((folder / place / library / "__init__.py").exists() for folder in folders):
            return f"diffusers.{place.replace('/', '.')}.{library}"
    return None


def find_class(library: str, class_name: str, role: str) -> type:
    """The component's class, imported; LibraryRefused or UnknownClass."""
    check_library(library, role)
    module = importlib.import_module(pipeline_module(library) or library)
    class_name = RENAMED.get(class_name, class_name)
    found = None if class_name.startswith("_") else getattr(module, class_name, None)
    if not isinstance(found, type):
        raise UnknownClass(library, class_name, "the library has no class of this name")
    if not hasattr(found, "from_pretrained") and not hasattr(found, "from_config"):
        raise UnknownClass(library, class_name, "it has neither from_pretrained nor from_config")
    return found


def _is_declared(library: str) -> bool:
    return any(library == name or library.startswith(f"{name}.") for name in _declared)


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # a parent of a dotted name
        return False
