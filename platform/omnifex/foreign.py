"""What other tools write into their files: AUTOMATIC1111 and its kin, ComfyUI, InvokeAI."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

WORTH = {"text", "seed", "noise_seed", "steps", "cfg", "ckpt_name", "unet_name"}
PARAMETER = re.compile(r'\s*([\w ]+):\s*("(?:\\.|[^"\\])*"|[^,]*)(?:,|$)')


def understood(tags: Mapping[str, str]) -> tuple[str | None, dict[str, Any]]:
    """The tool's name and what it says; (None, {}) where nobody known wrote the tags."""
    low = {name.lower(): text for name, text in tags.items()}
    if "invokeai_metadata" in low:
        return "InvokeAI", as_object(low["invokeai_metadata"])
    for name in ("prompt", "workflow", "comment"):
        if graph := comfy_graph(low.get(name, "")):
            return "ComfyUI", graph
    for name in ("parameters", "usercomment", "exif:usercomment"):
        if "Steps: " in low.get(name, ""):
            return "AUTOMATIC1111", parameters(low[name])
    return None, {}


def parameters(text: str) -> dict[str, Any]:
    """The prompt, perhaps `Negative prompt: …`, then one line of `Steps: 20, Sampler: Euler, …`."""
    *lines, last = text.strip().split("\n")
    prompt, _, negative = "\n".join(lines).partition("Negative prompt:")
    found = {name.strip(): value.strip().strip('"') for name, value in PARAMETER.findall(last)}
    said = {"prompt": prompt.strip(), "negative_prompt": negative.strip(), **found}
    return {name: value for name, value in said.items() if value}


def comfy_graph(text: str) -> dict[str, Any]:
    """The graph of nodes, by what is common to most: texts, seeds, steps, checkpoints."""
    graph = as_object(text)
    graph = as_object(graph["prompt"]) if "prompt" in graph else graph
    nodes = [one for one in graph.values() if isinstance(one, dict) and "class_type" in one]
    if not nodes:
        return {}
    said: dict[str, Any] = {"nodes": sorted({str(node["class_type"]) for node in nodes})}
    for node in nodes:
        for name, value in dict(node.get("inputs", {})).items():
            link = isinstance(value, list)  # to another node
            if name in WORTH and not link:
                said.setdefault("prompts" if name == "text" else name, []).append(value)
    return said


def as_object(text: Any) -> dict[str, Any]:
    if isinstance(text, dict):
        return text
    try:
        found = json.loads(text)
    except (ValueError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}
