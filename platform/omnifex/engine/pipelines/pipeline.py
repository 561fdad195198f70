"""A diffusers pipeline for one job: its own scheduler and tokenizers, stand-ins for its modules."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import cache, partial, wraps
from typing import TYPE_CHECKING, Any

import diffusers
from torch import nn

from omnifex.engine.context import current_job
from omnifex.engine.pipelines.stand_in import StandIn, holding
from omnifex.errors import PluginError
from omnifex_registry import Component, Model

if TYPE_CHECKING:
    from omnifex.engine.pipelines.stand_in import StandIns


def assembled(
    record: Model,
    stand_ins: StandIns,
    pipeline_class: type[Any] | None = None,
    components: Mapping[str, Any] | None = None,
) -> Any:
    """The pipeline that model_index.json describes, or one of another class over its components.

    `components` go before the model's own, and before the settings in model_index.json.
    """
    found = pipeline_class or class_of(record)
    if components:
        return constructed(record, stand_ins, found, components)
    parts = tuple((role, part.id) for role, part in record.components.items())
    make = partial(constructed, record, stand_ins, found, {})
    return stand_ins.pipeline((found, parts, repr(record.config)), make)


def constructed(
    record: Model, stand_ins: StandIns, found: type[Any], given: Mapping[str, Any]
) -> Any:
    """A pipeline of this class, made as its `from_pretrained` would."""
    arguments = {
        name: given[name] if name in given else argument(record, stand_ins, name, parameter)
        for name, parameter in inspect.signature(found.__init__).parameters.items()
        if name != "self" and parameter.kind is not parameter.VAR_KEYWORD
    }
    if unknown := given.keys() - arguments.keys():
        raise PluginError(f"a {found.__name__} has no component {', '.join(sorted(unknown))}.")
    for part in arguments.values():
        if isinstance(part, diffusers.SchedulerMixin) and not hasattr(part, "steps_taken"):
            part.__class__ = counting(type(part))  # type: ignore[arg-type]  # python/mypy#11470
    pipeline = found(**arguments)
    for part in pipeline.components.values():  # such as that around several control networks
        if isinstance(part, nn.Module) and not isinstance(part, StandIn):
            part.__class__ = holding(type(part))  # type: ignore[arg-type]
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def class_of(record: Model) -> type[Any]:
    """The class of diffusers that model_index.json names."""
    found: type[Any] | None = getattr(diffusers, record.class_name, None)
    if found is None:
        raise PluginError(
            f"model {record.name!r} is for a {record.class_name}, which is no pipeline of "
            "diffusers; give its class to model.pipeline."
        )
    return found


def argument(record: Model, stand_ins: StandIns, name: str, parameter: inspect.Parameter) -> Any:
    """A component of the model, a setting in its model_index.json, or what the class falls back to.

    A slot that the model leaves empty is None, whether or not the class expects that.
    """
    if name in record.components:
        return played(record.components[name], stand_ins)
    setting = record.config.get(name)
    if name in record.config and not isinstance(setting, list):
        return setting
    return None if parameter.default is parameter.empty else parameter.default


def played(component: Component, stand_ins: StandIns) -> Any:
    """A stand-in for a module; a tokenizer or scheduler of the job's own."""
    return stand_ins.copy_of(component) if component.weightless else stand_ins.of(component)


@cache
def counting(real: type[Any]) -> type[Any]:
    """The scheduler's class, telling the job of each step; a copy of the scheduler tells too."""

    @wraps(real.set_timesteps)
    def set_timesteps(self: Any, *args: Any, **kwargs: Any) -> Any:
        self.steps_taken = 0
        if self.stage and (job := current_job()):
            job.stage(*self.stage)
        return real.set_timesteps(self, *args, **kwargs)

    @wraps(real.step)
    def step(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = real.step(self, *args, **kwargs)
        self.steps_taken += 1
        if job := current_job():
            job.step(self.steps_taken, max(len(self.timesteps), self.steps_taken))
        return result

    names = {"__module__": real.__module__, "__qualname__": real.__qualname__}
    state = {"steps_taken": 0, "stage": None}  # a stage: its name, and the share done at its end
    methods = {"set_timesteps": set_timesteps, "step": step}
    return type(real.__name__, (real,), {**methods, **names, **state})
