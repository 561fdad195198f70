"""Stand-ins: modules without weights that pass as the real ones, and compute by component calls.

An unmodified pipeline holds them in place of its modules: it asks them for their class, config,
type and device, looks up their parts, and calls them. Whatever would compute is called on the real
component, through the job's dispatcher; in between, the component may leave the device.
"""

from __future__ import annotations

import contextlib
import copy
import threading
from collections.abc import Callable, Hashable, Iterator
from functools import cache, wraps
from typing import Any

import torch
from torch import Tensor, nn

from omnifex.engine.call import ComponentCall
from omnifex.engine.context import current_job
from omnifex.engine.dispatcher import Dispatcher
from omnifex.engine.pipelines.copies import own_copy
from omnifex.errors import PluginError
from omnifex_registry import Component, dtype_of, in_dtype, load_component, load_skeleton

# What a pipeline calls on a module, each as one component call. A method that is not named here
# runs as it is, on parts that are stand-ins too: the same result, by more calls.
METHODS = (
    "__call__",
    "decode",
    "decode_to_image",
    "decode_to_mesh",
    "encode",
    "forward",
    "generate",
    "generate_captions",
    "get_audio_features",
    "get_image_features",
    "get_text_features",
)


class StandIns:
    """What the pipelines of one engine hold; each component's files are read once, for all jobs."""

    def __init__(
        self, dispatcher: Dispatcher, device: torch.device, dtype: torch.dtype | None = None
    ) -> None:
        self.device = device
        self._dispatcher, self._dtype = dispatcher, dtype
        self._skeletons: dict[str, nn.Module] = {}
        self._originals: dict[str, Any] = {}
        self._pipelines: dict[Hashable, Any] = {}
        self._building = threading.Lock()

    def of(self, component: Component) -> Any:
        """A module in the component's place, for one job to hold."""
        return copy.copy(self._skeleton(component))

    def copy_of(self, component: Component) -> Any:
        """A tokenizer or scheduler for one job, whose pipeline changes it."""
        with self._building:
            if component.id not in self._originals:
                self._originals[component.id] = load_component(component)
            return own_copy(self._originals[component.id])

    def pipeline(self, key: Hashable, construct: Callable[[], Any]) -> Any:
        """A pipeline for one job: a copy of what was constructed once, which takes less time.

        One whose constructor calls components is constructed by each job that makes those calls.
        """
        if key not in self._pipelines:
            job = current_job()
            before = job.guard.count if job else None
            made = construct()
            if job is None or job.guard.count != before:
                return made
            self._pipelines[key] = made
        return own_copy(self._pipelines[key])

    def in_dtype(self, component: Component, dtype: torch.dtype) -> Any:
        """A stand-in for the component in another type than it has, or in its usual one again."""
        usual = in_dtype(component, None)
        is_usual = dtype is dtype_of(usual, self.device, self._dtype)
        return self.of(usual if is_usual else in_dtype(component, dtype))

    def call(self, component: Component, method: str, *args: Any, **kwargs: Any) -> Any:
        """The result of the real module's method, for the job whose thread this is."""
        job = current_job()
        if job is None:
            raise PluginError(
                f"{component.role}.{method} was called outside the thread of a job; "
                "component calls belong in generate, in the thread that it runs in."
            )
        return self._dispatcher.call(ComponentCall(job, component, method, args, kwargs))

    def _skeleton(self, component: Component) -> nn.Module:
        with self._building:
            if component.id not in self._skeletons:
                self._skeletons[component.id] = self._build(component)
            return self._skeletons[component.id]

    def _build(self, component: Component) -> nn.Module:
        """The component's skeleton, every part of it a stand-in for the part of its name."""
        dtype = dtype_of(component, self.device, self._dtype)
        module = load_skeleton(component, dtype=dtype)
        for path, part in module.named_modules():
            part.__dict__["_place"] = Place(self, component, dtype, path)
            part.__class__ = standing_in(type(part))  # type: ignore[arg-type]  # python/mypy#11470
        return module


class Place:
    """What a module stands for: the part of a component at `path`, and "" for the whole."""

    def __init__(
        self, stand_ins: StandIns, component: Component, dtype: torch.dtype, path: str
    ) -> None:
        self.stand_ins, self.component, self.dtype, self.path = stand_ins, component, dtype, path

    def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        name = f"{self.path}.{method}" if self.path else method
        return self.stand_ins.call(self.component, name, *args, **kwargs)


class StandIn(nn.Module):
    """Mixed into the class of every module of a skeleton."""

    _place: Place

    @property
    def device(self) -> torch.device:
        return self._place.stand_ins.device

    @property
    def dtype(self) -> torch.dtype:
        return self._place.dtype

    def __getattr__(self, name: str) -> Any:
        found = super().__getattr__(name)
        if isinstance(found, Tensor) and found.is_meta:
            return self._place.call(f"{name}.clone")  # the real one may leave the device
        return found

    def __setattr__(self, name: str, value: Any) -> None:
        raise PluginError(
            f"{name!r} of {type(self).__name__} cannot be set, because the component "
            f"{self._place.component.role!r} is shared by jobs; register a model that has it so."
        )

    def __copy__(self) -> StandIn:
        """Another of the same parts, for another job: each may be told to be of another type."""
        own = object.__new__(type(self))
        own.__dict__.update(self.__dict__)
        return own

    def __deepcopy__(self, memo: dict[int, Any]) -> StandIn:
        own = memo[id(self)] = copy.copy(self)
        return own

    def to(self, *args: Any, **kwargs: Any) -> Any:
        """Not as the real class does it, which would warn of parts that it keeps in float32."""
        return nn.Module.to(self, *args, **kwargs)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> StandIn:
        """Obey `to`, `half` and `float`: in which type is the pipeline's to say, where is not."""
        dtype, place = fn(torch.empty(0, dtype=self.dtype)).dtype, self._place
        if dtype == place.dtype:
            return self
        if place.path:
            raise PluginError(
                f"{place.path} of {place.component.role!r} cannot become {dtype} without the rest."
            )
        self.__dict__.update(place.stand_ins.in_dtype(place.component, dtype).__dict__)
        return self

    def train(self, mode: bool = True) -> StandIn:
        """Components are loaded to be used; the pipelines that make sure of it may."""
        return super().train(mode) if mode != self.training else self

    @contextlib.contextmanager
    def cache_context(self, name: str, **_: Any) -> Iterator[None]:
        """Which pass of a step the calls inside are: a cache keeps them apart, as it does jobs."""
        job = current_job()
        if job is None:
            yield
            return
        before, job.denoising_pass = job.denoising_pass, name
        try:
            yield
        finally:
            job.denoising_pass = before

    def _reset_stateful_cache(self, *args: Any, **kwargs: Any) -> None:
        """The engine does so at the end of each job."""


@cache
def standing_in(real: type[nn.Module]) -> type[nn.Module]:
    """The real class, computing elsewhere; diffusers tells classes by name and module."""
    calls = {name: calling(real, name) for name in METHODS if hasattr(real, name)}
    names = {"__module__": real.__module__, "__qualname__": real.__qualname__}
    return type(real.__name__, (StandIn, real), {**calls, **names})


@cache
def holding(real: type[nn.Module]) -> type[nn.Module]:
    """The class of a pipeline's own module around stand-ins, which is where those are."""

    def first(self: nn.Module) -> StandIn:
        return next(part for part in self.modules() if isinstance(part, StandIn))

    own = {"device": property(lambda self: first(self).device)}
    own["dtype"] = property(lambda self: first(self).dtype)
    names = {"__module__": real.__module__, "__qualname__": real.__qualname__}
    return type(real.__name__, (real,), {**own, **names})


def calling(real: type[nn.Module], method: str) -> Callable[..., Any]:
    """A method that calls the real one, whose signature pipelines look at."""

    @wraps(getattr(real, method))
    def call(self: StandIn, *args: Any, **kwargs: Any) -> Any:
        return self._place.call(method, *args, **kwargs)

    return call
