"""Models and components: added, identified by content, loaded from safetensors alone."""

from typing import TYPE_CHECKING, Any

from omnifex_registry.errors import (
    BadModelFolder,
    CorruptWeights,
    DatabaseNewer,
    NameTaken,
    RegistryError,
    UnknownModel,
    UnsafeWeights,
)
from omnifex_registry.headers import TensorInfo, read_header
from omnifex_registry.kinds import Kind
from omnifex_registry.libraries import allow_library
from omnifex_registry.migrate import migrate
from omnifex_registry.records import Component, Model
from omnifex_registry.registry import Registry

if TYPE_CHECKING:
    from omnifex_registry.loading import load_component

__all__ = [
    "BadModelFolder",
    "Component",
    "CorruptWeights",
    "DatabaseNewer",
    "Kind",
    "Model",
    "NameTaken",
    "Registry",
    "RegistryError",
    "TensorInfo",
    "UnknownModel",
    "UnsafeWeights",
    "allow_library",
    "load_component",
    "migrate",
    "read_header",
]


def __getattr__(name: str) -> Any:
    # Loading needs torch, which takes seconds to import; nothing else here does.
    if name == "load_component":
        from omnifex_registry.loading import load_component

        return load_component
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
