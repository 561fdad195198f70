"""Whatever a plugin raises in the middle of a job becomes one sentence that names it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from omnifex.errors import USER_ERRORS, GenerationFailed, PluginError
from omnifex.modality import Family
from omnifex.request import Request
from omnifex_registry import Model


@contextmanager
def named_failures(family: Family[Request], model: Model) -> Iterator[None]:
    """Raise GenerationFailed from anything that is not written for the user already.

    What the platform says of a plugin does not know which one it is: that is said here.
    """
    try:
        yield
    except USER_ERRORS as error:
        if type(error) is not PluginError:
            raise
        place = f"{family.modality} family {family.name!r} with model {model.name!r}"
        raise PluginError(f"{place}: {error}") from error
    except (Exception, SystemExit) as error:  # a plugin that exits ends its job, not the worker
        message = " ".join(str(error).split()) or "no reason given"
        place = ", ".join(getattr(error, "__notes__", []))  # the component call says where
        raise GenerationFailed(
            f"{family.modality} family {family.name!r} failed with model {model.name!r}"
            f"{f' {place}' if place else ''}: {type(error).__name__}: {message}"
        ) from error
