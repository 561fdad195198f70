"""Models and components: added, identified by content, loaded from safetensors alone."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omnifex_registry.dtypes import dtype_of as dtype_of
    from omnifex_registry.dtypes import in_dtype as in_dtype
    from omnifex_registry.errors import BadModelFolder as BadModelFolder
    from omnifex_registry.errors import CorruptWeights as CorruptWeights
    from omnifex_registry.errors import DatabaseNewer as DatabaseNewer
    from omnifex_registry.errors import NameTaken as NameTaken
    from omnifex_registry.errors import RegistryError as RegistryError
    from omnifex_registry.errors import UnknownModel as UnknownModel
    from omnifex_registry.errors import UnsafeWeights as UnsafeWeights
    from omnifex_registry.headers import TensorInfo as TensorInfo
    from omnifex_registry.headers import read_header as read_header
    from omnifex_registry.kinds import Kind as Kind
    from omnifex_registry.libraries import allow_library as allow_library
    from omnifex_registry.loading import load_component as load_component
    from omnifex_registry.migration import migrate as migrate
    from omnifex_registry.records import Component as Component
    from omnifex_registry.records import Model as Model
    from omnifex_registry.registry import Registry as Registry
    from omnifex_registry.skeleton import load_skeleton as load_skeleton

# Where each public name lives; imported on first use: plugins declare their libraries at import,
# and a command's --help must wait neither for SQLAlchemy nor for torch.
HOMES = {
    "BadModelFolder": "errors",
    "Component": "records",
    "CorruptWeights": "errors",
    "DatabaseNewer": "errors",
    "Kind": "kinds",
    "Model": "records",
    "NameTaken": "errors",
    "Registry": "registry",
    "RegistryError": "errors",
    "TensorInfo": "headers",
    "UnknownModel": "errors",
    "UnsafeWeights": "errors",
    "allow_library": "libraries",
    "dtype_of": "dtypes",
    "in_dtype": "dtypes",
    "load_component": "loading",
    "load_skeleton": "skeleton",
    "migrate": "migration",
    "read_header": "headers",
}

__all__ = [*HOMES]


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"{__name__}.{HOMES[name]}")
    value = globals()[name] = getattr(module, name)
    return value
