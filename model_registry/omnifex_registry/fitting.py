"""Whether a model's parts fit: those that its pipeline takes, and the shapes its classes ask for.

Checked when a person adds a model, by the headers of its files and by modules that are built
without memory; what cannot be built so is left to loading, which checks again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from omnifex_registry.config import read_config
from omnifex_registry.errors import BadModelFolder, WeightsMismatch
from omnifex_registry.records import Component, Model
from omnifex_registry.sources.adapters import LIBRARY
from omnifex_registry.weights import STEMS, read_weights

NO_MODULE = (AttributeError, ImportError, KeyError, TypeError, ValueError, OSError, RuntimeError)


def check_fit(model: Model) -> None:
    """BadModelFolder or WeightsMismatch, with the part that does not fit."""
    if not any(part.library in STEMS for part in model.components.values()):
        return  # a plugin's own, which are checked when they are loaded
    check_parts(model)
    for part in model.components.values():
        if not part.weightless:
            check_shapes(part)


def check_parts(model: Model) -> None:
    """All components that a pipeline of diffusers cannot do without, and none that it knows not."""
    import diffusers

    found: Any = getattr(diffusers, model.class_name, None)
    if not hasattr(found, "_optional_components"):  # it is no pipeline
        return
    takes, settings = found._get_signature_keys(found)
    taken, optional = set(takes) | set(settings), {*found._optional_components, *settings}
    empty = {role for role, value in model.config.items() if value in ([None, None], None)}
    missing = taken - optional - set(model.components) - empty
    extra = set(model.components) - taken
    for named, fact in ((missing, "lacks"), (extra, "does not know")):
        if named:
            raise BadModelFolder(
                f"The model in {model.path} does not fit {model.class_name}, which {fact} "
                f"{', '.join(sorted(named))}; get the whole model folder, as it was saved."
            )


def check_shapes(part: Component) -> None:
    """No tensor has another shape than the config asks for; names may be those of older versions.

    transformers fills tensors of a wrong shape with random numbers, of whatever size.
    """
    weights = read_weights(part.path, part.library, part.variant)
    config = read_config(part.path / "config.json")
    if weights is None or weights.quantised or "quantization_config" in config:
        return
    wanted = shapes_of(part)
    wrong = [
        f"{name} is {list(info.shape)}, and config.json asks for {list(wanted[name])}"
        for shard in weights.shards.values()
        for name, info in shard.items()
        if wanted.get(name, info.shape) != info.shape
    ]
    if wrong:
        raise WeightsMismatch(part.path, part.class_name, sorted(wrong)[0])


def shapes_of(part: Component) -> dict[str, tuple[int, ...]]:
    """The shapes of the component's tensors by name; none where its class does not say."""
    from omnifex_registry.skeleton import load_skeleton

    if part.library == LIBRARY:
        return {}
    try:
        with quiet():
            module = load_skeleton(part)
    except NO_MODULE:
        return {}
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


@contextmanager
def quiet() -> Iterator[None]:
    """Without the libraries' warnings of keys in a config that they do not know."""
    loggers = [logging.getLogger(name) for name in ("diffusers", "transformers")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
