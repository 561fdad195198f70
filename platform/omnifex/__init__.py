"""Omnifex: one API, one queue and one pool of devices for every modality."""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

# Read when torch is first imported. Its threads else spin while they wait for each other, and where
# other programs want the same cores an operation of microseconds takes as long as their time slice.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

if TYPE_CHECKING:
    from omnifex.aio import AsyncStudio as AsyncStudio
    from omnifex.condition import Condition as Condition
    from omnifex.condition import Start as Start
    from omnifex.errors import InvalidRequest as InvalidRequest
    from omnifex.errors import JobCanceled as JobCanceled
    from omnifex.errors import JobFailed as JobFailed
    from omnifex.errors import OmnifexError as OmnifexError
    from omnifex.errors import UnreadableInput as UnreadableInput
    from omnifex.hookspecs import hookimpl as hookimpl
    from omnifex.latent_family import LatentFamily as LatentFamily
    from omnifex.modality import BuiltinModel as BuiltinModel
    from omnifex.modality import Family as Family
    from omnifex.modality import File as File
    from omnifex.modality import Modality as Modality
    from omnifex.pipelines import PipelineFamily as PipelineFamily
    from omnifex.plugins import PluginHost as PluginHost
    from omnifex.request import MediaInput as MediaInput
    from omnifex.request import Request as Request
    from omnifex.scoring import Scorer as Scorer
    from omnifex.studio import Studio as Studio

# Where each public name lives; imported on first use, so that `import omnifex` costs nothing.
HOMES = {
    "AsyncStudio": "omnifex.aio",
    "BuiltinModel": "omnifex.modality",
    "Condition": "omnifex.condition",
    "Family": "omnifex.modality",
    "File": "omnifex.modality",
    "InvalidRequest": "omnifex.errors",
    "JobCanceled": "omnifex.errors",
    "JobFailed": "omnifex.errors",
    "LatentFamily": "omnifex.latent_family",
    "MediaInput": "omnifex.request",
    "Modality": "omnifex.modality",
    "OmnifexError": "omnifex.errors",
    "PipelineFamily": "omnifex.pipelines",
    "PluginHost": "omnifex.plugins",
    "Request": "omnifex.request",
    "Scorer": "omnifex.scoring",
    "Start": "omnifex.condition",
    "Studio": "omnifex.studio",
    "UnreadableInput": "omnifex.errors",
    "hookimpl": "omnifex.hookspecs",
}

__all__ = [*HOMES]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("omnifex")
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return [*HOMES, "__version__"]
