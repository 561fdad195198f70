"""What a recipe is made of: all that decides an output, and who will make it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omnifex import styles
from omnifex.home import Home
from omnifex.modality import Family, Modality
from omnifex.request import Request
from omnifex.styles import Style
from omnifex.versions import libraries, version
from omnifex_jobs import Recipe
from omnifex_registry import Model


def recipe_of(
    home: Home,
    modality: Modality[Any],
    family: Family[Any],
    model: Model,
    request: Request,
    style: Style | None,
) -> Recipe:
    """All that decides the output, and who will make it."""
    return Recipe(
        {
            "modality": modality.name,
            "model": model.name,
            "family": family.name,
            "components": component_ids(model),
            **settings_part(model),
            **others_part(model),
            **style_part(request, style),
            "request": request.model_dump(mode="json"),
            "plugins": {
                plugin.name: plugin.version
                for plugin in home.plugins.plugins
                if modality in plugin.modalities or family in plugin.families
            },
            "omnifex": version(),
            "libraries": libraries(),
        }
    )


def drift(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Why the bytes may differ from those of the first time."""
    before = {"omnifex": then["omnifex"], **then["plugins"], **then.get("libraries", {})}
    after = {"omnifex": now["omnifex"], **now["plugins"], **now["libraries"]}
    return [
        f"{name} is {after.get(name)} now and was {before[name]}; the bytes may differ."
        for name in before
        if before[name] != after.get(name)
    ]


def settings_part(model: Model) -> dict[str, Any]:
    """The model's settings as a recipe and a file's provenance name them, where there are any."""
    return {"settings": dict(model.settings)} if model.settings else {}


def others_part(model: Model) -> dict[str, Any]:
    """The models that the request names beside its own, where there are any."""
    others = {
        name: {"model": other.name, "components": component_ids(other), **settings_part(other)}
        for name, other in model.others.items()
    }
    return {"others": others} if others else {}


def style_part(request: Request, style: Style | None) -> dict[str, Any]:
    """The style as it was then, and the words that it makes of the request's own.

    What it makes of a prompt that is still to be rewritten, only the worker can know.
    """
    if style is None:
        return {}
    words = styles.texts(request, style)
    if request.rewrite is not None:
        words.pop("prompt", None)
    return {"style": {**style.model_dump(exclude_none=True), "words": words}}


def style_then(recipe: Mapping[str, Any]) -> Style | None:
    """The style that the recipe keeps, whatever the model's is now."""
    kept = recipe.get("style")
    return None if kept is None else Style(**{k: v for k, v in kept.items() if k != "words"})


def component_ids(model: Model) -> dict[str, str]:
    return {role: part.id for role, part in model.components.items()}
