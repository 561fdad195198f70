"""A model as transformers saves it: weights, tokenizer and processor in one folder.

Language models, and CLIPs and CLAPs that hold words against pictures and sounds, are models of
their own here. A folder of the home has their parts as components, with links to where the weights
lie.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from omnifex_registry.config import read_config
from omnifex_registry.errors import BadModelFolder
from omnifex_registry.layout import INDEX, Slot
from omnifex_registry.sanity import refuse_code
from omnifex_registry.sources.hub_files import SMALL
from omnifex_registry.sources.owned import check_space
from omnifex_registry.weights import read_weights, refuse_pickles

# By what the class ends with: the slots of such a model, and their classes; "" is its own.
LANGUAGE = {"language_model": "", "tokenizer": "AutoTokenizer"}
KINDS: Mapping[str, Mapping[str, str]] = {
    "ForCausalLM": LANGUAGE,
    "LMHeadModel": LANGUAGE,
    "ForConditionalGeneration": LANGUAGE,
    "CLIPModel": {
        "encoder": "",
        "tokenizer": "CLIPTokenizer",
        "image_processor": "CLIPImageProcessor",
    },
    "ClapModel": {
        "encoder": "",
        "tokenizer": "AutoTokenizer",
        "feature_extractor": "ClapFeatureExtractor",
    },
}
OF_WEIGHTS = ("config.json", "generation_config.json")
OF_PROCESSOR = ("preprocessor_config.json", "processor_config.json")


def is_pretrained(folder: Path) -> bool:
    """Whether the folder is such a model."""
    return folder.is_dir() and not (folder / INDEX).exists() and bool(architecture(folder))


def architecture(folder: Path) -> str:
    """The class that config.json names, where it is one of ours; else nothing."""
    path = folder / "config.json"
    named = read_config(path).get("architectures") if path.is_file() else None
    first = str(named[0]) if isinstance(named, list) and named else ""
    return first if slots_of(first) and first.isidentifier() else ""


def slots_of(class_name: str) -> Mapping[str, str]:
    return next((slots for end, slots in KINDS.items() if class_name.endswith(end)), {})


def part_out(folder: Path, variant: str | None, place: Path, *, copy: bool) -> None:
    """The model's files in folders of their roles below `place`, with an index of them."""
    class_name = architecture(folder)
    refuse_pickles(folder)
    refuse_code(Slot("model", "transformers", class_name, folder))
    index: dict[str, object] = {"_class_name": class_name}
    weights = read_weights(folder, "transformers", variant)
    if copy and weights:
        check_space(place, weights.bytes)
    for role, own in slots_of(class_name).items():
        index[role] = ["transformers", own or class_name]
        files = list(files_of(folder, role, variant))
        if not files:
            raise BadModelFolder(
                f"{folder} has no {role.replace('_', ' ')} of its {class_name}; "
                "get the whole model folder."
            )
        (place / role).mkdir()
        for file in files:
            bring(file, place / role, copy=copy)
    (place / INDEX).write_text(json.dumps(index, indent=2), encoding="utf-8")


def files_of(folder: Path, role: str, variant: str | None) -> Iterator[Path]:
    """Those of one component; a tokenizer that does not name its class has config.json say it."""
    if role in ("image_processor", "feature_extractor"):
        yield from (folder / name for name in OF_PROCESSOR if (folder / name).is_file())
    elif role == "tokenizer":
        yield from tokenizer_files(folder)
    elif weights := read_weights(folder, "transformers", variant):
        yield from weights.shards
        yield from folder.glob("*.safetensors.index*.json")
        yield from (folder / name for name in OF_WEIGHTS if (folder / name).is_file())


def tokenizer_files(folder: Path) -> Iterator[Path]:
    settings = folder / "tokenizer_config.json"
    if not settings.is_file():
        return
    for file in sorted(folder.iterdir()):
        others = file.name in (*OF_WEIGHTS, *OF_PROCESSOR) or "safetensors" in file.name
        if file.is_file() and file.name.endswith(SMALL) and not others:
            yield file
    if "tokenizer_class" not in read_config(settings):
        yield folder / "config.json"


def bring(file: Path, place: Path, *, copy: bool) -> None:
    """Weights are linked, unless they are to be copied; the small files beside them are copied."""
    if copy or file.suffix != ".safetensors":
        shutil.copyfile(file, place / file.name)
    else:
        (place / file.name).symlink_to(file.resolve())
