"""Models of several stages, made of models that are registered: a base, a refiner, an upscaler."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from omnifex.errors import InvalidRequest, closest
from omnifex.modality import Family
from omnifex_registry import Model, Registry

INDEX = "model_index.json"


def check_stages(base: Model, stages: Iterable[str], families: Iterable[Family[Any]]) -> None:
    """Refuse a stage that no family of such a base would run."""
    known = {
        stage
        for family in families
        if base.class_name in getattr(family, "pipelines", ())
        for stage in getattr(family, "stages", ())
    }
    for stage in stages:
        if stage not in known:
            has = ", ".join(sorted(known)) or "none"
            raise InvalidRequest(
                f"model {base.name!r} (a {base.class_name}) has no stage {stage!r}"
                f"{closest(stage, known)}; it can have: {has}."
            )


def compose(
    registry: Registry, name: str, base: Model, stages: Mapping[str, Model], *, update: bool
) -> Model:
    """A model of the home's own that has the components of others; no weights are copied.

    The slots of a stage begin with its name; those that it leaves empty are left empty here.
    """
    from omnifex_registry.adding import Wanted, owned_model

    source = {"composed": {"base": base.name, **{s: model.name for s, model in stages.items()}}}
    index = slots(base, "")
    with registry.owned.staging() as staged:
        refer(registry, staged, "", base)
        for stage, model in stages.items():
            index |= slots(model, f"{stage}_")
            refer(registry, staged, f"{stage}_", model)
        whole = {**index, "_class_name": base.class_name}
        (staged / INDEX).write_text(json.dumps(whole, indent=2), encoding="utf-8")
        return owned_model(registry, staged, name, Wanted(name=name, update=update), source)


def refer(registry: Registry, folder: Path, prefix: str, model: Model) -> None:
    """The components of a model in slots that begin with the prefix."""
    from omnifex_registry.sources.folder import take_over

    for role, part in model.components.items():
        take_over(replace(part, role=prefix + role), folder, registry.owned)


def slots(model: Model, prefix: str) -> dict[str, Any]:
    """Its model_index.json, without the places of what lies beside it: all is in one folder now."""
    return {
        prefix + name: value[:2] if isinstance(value, list) and len(value) == 3 else value
        for name, value in model.config.items()
        if not name.startswith("_")
    }
