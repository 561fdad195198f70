"""From a slot of a model's folder to a component with an identity; nothing is loaded."""

from omnifex_registry.config import config_digest, read_config
from omnifex_registry.errors import BadModelFolder
from omnifex_registry.fingerprint import component_id, file_fingerprint, tensor_fingerprint
from omnifex_registry.layout import Slot
from omnifex_registry.libraries import check_library
from omnifex_registry.records import Component
from omnifex_registry.sanity import check_config, refuse_code
from omnifex_registry.weights import STEMS, read_weights, refuse_pickles

# A folder of diffusers or transformers without weights has one of these instead of config.json.
WEIGHTLESS_CONFIGS = ("tokenizer_config.json", "scheduler_config.json", "preprocessor_config.json")


def identify(slot: Slot, variant: str | None = None) -> Component:
    """The component in a slot, its weights hashed; every file is read once, by chunks."""
    refuse_code(slot)
    check_library(slot.library, slot.role)
    refuse_pickles(slot.path)
    for name in ("config.json", *WEIGHTLESS_CONFIGS):
        if (slot.path / name).is_file():
            check_config(slot.path / name, read_config(slot.path / name))
    weights = read_weights(slot.path, slot.library, variant)
    if weights is None:
        return _weightless(slot, variant)
    config = config_digest(read_config(slot.path / "config.json"))
    return Component(
        id=component_id(_class_path(slot), config, tensor_fingerprint(weights)),
        role=slot.role,
        library=slot.library,
        class_name=slot.class_name,
        path=slot.path,
        bytes=weights.bytes,
        parameters=sum(weights.dtypes.values()),
        dtypes=weights.dtypes,
        weightless=False,
        variant=variant,
    )


def _weightless(slot: Slot, variant: str | None) -> Component:
    """A tokenizer, a scheduler, …: all its files decide what it does."""
    names = {path.name for path in slot.path.iterdir()}
    forgotten = "config.json" in names and names.isdisjoint(WEIGHTLESS_CONFIGS)
    if not names or (forgotten and slot.library in STEMS):
        raise BadModelFolder(
            f"Component {slot.role!r} ({slot.class_name}) has no safetensors weights in "
            f"{slot.path}; get the whole model folder."
        )
    return Component(
        id=component_id(_class_path(slot), "", file_fingerprint(slot.path)),
        role=slot.role,
        library=slot.library,
        class_name=slot.class_name,
        path=slot.path,
        bytes=0,
        parameters=0,
        dtypes={},
        weightless=True,
        variant=variant,
    )


def _class_path(slot: Slot) -> str:
    return f"{slot.library}.{slot.class_name}"
