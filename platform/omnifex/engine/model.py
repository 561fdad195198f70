"""A model as one job sees it: components by role, whose calls go through the dispatcher."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from omnifex.engine.adapters.adapter import Adapter, ordered
from omnifex.engine.call import ComponentCall
from omnifex.engine.context import JobContext, current_job
from omnifex.engine.dispatcher import Dispatcher
from omnifex.engine.pipelines.stand_in import StandIns
from omnifex.errors import PluginError
from omnifex.settings import tuned
from omnifex_registry import Component, Model


class ComponentHandle:
    """A component in place of its module: call it, or any method of it, with tensors on the device.

    `handle(x)` calls the module, `handle.decode(x)` its method. `handle.config` is its config.json.
    """

    def __init__(self, component: Component, job: JobContext, dispatcher: Dispatcher) -> None:
        self.component = component
        self._job, self._dispatcher = job, dispatcher

    @cached_property
    def config(self) -> Mapping[str, Any]:
        """What config.json says, read without loading any weights."""
        return read_json(self.component.path / "config.json") or {}

    @cached_property
    def dtype(self) -> torch.dtype:
        """The floating type that the component computes in; asking does not load it."""
        return self._dispatcher.dtype_of(self.component)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._call("__call__", args, kwargs)

    def __getattr__(self, method: str) -> Callable[..., Any]:
        if method.startswith("_"):
            raise AttributeError(method)
        return lambda *args, **kwargs: self._call(method, args, kwargs)

    def _call(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        call = ComponentCall(self._job, self.component, method, args, kwargs)
        if current_job() is not self._job:
            raise PluginError(
                f"{call} was called outside the thread of job {self._job.id}; "
                "component calls belong in generate, in the thread that it runs in."
            )
        return self._dispatcher.call(call)


class LoadedModel:
    """A registered model in one job's hands; its components load when they are first called."""

    def __init__(
        self, record: Model, job: JobContext, dispatcher: Dispatcher, stand_ins: StandIns
    ) -> None:
        self.record = record
        self._job, self._dispatcher, self._stand_ins = job, dispatcher, stand_ins
        self._finished: set[str] = set()

    @property
    def name(self) -> str:
        return self.record.name

    @property
    def config(self) -> Mapping[str, Any]:
        """The model's model_index.json."""
        return self.record.config

    @cached_property
    def scheduler_config(self) -> Mapping[str, Any] | None:
        """What scheduler/scheduler_config.json says; None where the model has none."""
        return read_json(self.record.path / "scheduler" / "scheduler_config.json")

    def __contains__(self, role: str) -> bool:
        return bool(self._playing(role))

    def __getitem__(self, role: str) -> ComponentHandle:
        """The component in this slot ("unet"), or the only one of this kind ("backbone")."""
        component = self._component(role)
        if component.weightless and component.kind is None:
            raise PluginError(
                f"{role!r} of model {self.name!r} is a {component.class_name}, which jobs cannot "
                f"share; take one of this job's own with model.fresh({role!r})."
            )
        return ComponentHandle(component, self._job, self._dispatcher)

    def adapt(self, adapters: Mapping[str, Iterable[Adapter]]) -> None:
        """From now on this job calls the component in each of these roles with these adapters.

        They are switched on for its calls alone; other jobs have the component as it is.
        """
        for role, given in adapters.items():
            self._job.adapters[self._component(role).id] = ordered(given)

    def pipeline(
        self,
        pipeline_class: type[Any] | None = None,
        adapters: Mapping[str, Iterable[Adapter]] | None = None,
        **components: Any,
    ) -> Any:
        """A diffusers pipeline of this job's own, its modules' calls going through the dispatcher.

        By default the one that model_index.json describes. Another class takes the components that
        it knows by name; `components` replaces them, `scheduler=…` for one, or settings. Call it
        with `generator=job.generator`; its scheduler drives `job.step`. `adapters` are as for
        `adapt`.
        """
        from omnifex.engine.pipelines.pipeline import assembled  # it imports diffusers

        self.adapt(adapters or {})
        return assembled(self.record, self._stand_ins, pipeline_class, components)

    def other(self, name: str) -> LoadedModel:
        """A model that the request names beside this one, in the same job's hands."""
        record = tuned(self.record.others[name])
        return LoadedModel(record, self._job, self._dispatcher, self._stand_ins)

    def module(self, role: str) -> Any:
        """What passes for the component's module, for a pipeline to hold."""
        return self._stand_ins.of(self._component(role))

    def part(self, prefix: str) -> LoadedModel:
        """The model of a stage: the slots that begin with `prefix`, without it, before all others.

        A model of several stages holds a refiner's UNet as `refiner_unet`, for one.
        """
        own, config = staged(self.record.components, prefix), staged(self.record.config, prefix)
        common = {n: part for n, part in self.record.components.items() if n not in config}
        record = replace(
            self.record,
            components={**common, **own},
            config={**self.record.config, **config},
        )
        return LoadedModel(record, self._job, self._dispatcher, self._stand_ins)

    def finished(self, *roles: str) -> None:
        """Say that the job calls these no more: they may leave the device while it goes on.

        A role that ends in "_" is all of a stage. What a component has in common with one that is
        still to be called stays.
        """
        names = self.record.components
        self._finished |= {n for n in names for role in roles if n == role or is_of(n, role)}
        needed = {part.id for name, part in names.items() if name not in self._finished}
        gone = [names[n] for n in self._finished if names[n].id not in needed]
        self._dispatcher.finished(self._job, gone)

    def fresh(self, role: str) -> Any:
        """A tokenizer or scheduler of this job's own: pipelines change those they hold."""
        return self._stand_ins.copy_of(self._component(role))

    def _component(self, role: str) -> Component:
        playing = self._playing(role)
        if len(playing) == 1:
            return playing[0]
        has = ", ".join(self.record.components)
        fact = "several components" if playing else "no component"
        raise PluginError(f"model {self.name!r} has {fact} in the role {role!r}; it has: {has}.")

    def _playing(self, role: str) -> list[Component]:
        if role in self.record.components:
            return [self.record.components[role]]
        return [part for part in self.record.components.values() if part.kind == role]


def is_of(role: str, stage: str) -> bool:
    return stage.endswith("_") and role.startswith(stage)


def staged(values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Those whose names begin with the prefix, without it."""
    return {n.removeprefix(prefix): value for n, value in values.items() if n.startswith(prefix)}


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in a JSON file; None where there is no such file."""
    if not path.is_file():
        return None
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
