"""The hooks that a plugin may implement; docs/plugins.md describes each (a test compares)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from omnifex.modality import BuiltinModel, Family, Modality
    from omnifex.scoring import Scorer
    from omnifex_jobs import Event

PROJECT = "omnifex"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def register_modalities() -> list[Modality[Any]]:  # type: ignore[empty-body]
    """The kinds of media that this plugin adds."""


@hookspec
def register_families() -> list[Family[Any]]:  # type: ignore[empty-body]
    """The kinds of checkpoint that this plugin can generate with."""


@hookspec
def register_models() -> list[BuiltinModel]:  # type: ignore[empty-body]
    """The models that come with this plugin, registered when a studio opens."""


@hookspec
def register_scorers() -> list[Scorer[Any]]:  # type: ignore[empty-body]
    """What this plugin can tell good media from worse ones by."""


@hookspec
def job_event(event: Event) -> None:
    """A job moved, progressed or noted something; called in the worker, so be quick."""
