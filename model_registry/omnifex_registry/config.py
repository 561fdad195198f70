"""JSON files of a model: read with clear errors, and told apart by content."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omnifex_registry.errors import BadModelFolder

# Who wrote the file and in which precision; the tensors themselves say the latter.
_PROVENANCE = frozenset({"architectures", "dtype", "torch_dtype", "transformers_version"})


def read_config(path: Path) -> dict[str, Any]:
    """The object in a JSON file; BadModelFolder names the file where there is none."""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BadModelFolder(f"The file {path} is missing; get the whole model folder.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise BadModelFolder(
            f"The file {path} cannot be read as JSON ({error}); download or save it again."
        ) from error
    if not isinstance(config, dict):
        raise BadModelFolder(f"The file {path} holds no JSON object; download or save it again.")
    return config


def config_digest(config: Mapping[str, Any]) -> str:
    """sha256 of what a config says about the module, not about the program that saved it."""
    return digest(
        {
            key: value
            for key, value in config.items()
            if not key.startswith("_") and key not in _PROVENANCE
        }
    )


def digest(value: Any) -> str:
    """sha256 hex of a JSON value, equal for equal values."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
