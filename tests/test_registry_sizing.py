"""What models take, known from their configs: against real memory, and against known sizes."""

from __future__ import annotations

import ctypes
import gc
import json
import os
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import torch
from cli_cases import Cli, tiles_cli
from tiny_models import write_json

from omnifex.planning import ways
from omnifex_registry import BadModelFolder
from omnifex_registry.errors import AbsurdConfig
from omnifex_registry.libraries import find_class
from omnifex_registry.sizing import SHAPES, Size, sizes_of

# A UNet of Stable Diffusion with three tenths of its width: 0.3 GB.
MIDDLE = {
    "block_out_channels": [96, 192, 384, 384],
    "cross_attention_dim": 768,
    "attention_head_dim": 8,
}


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Cli:
    return tiles_cli(tmp_path, monkeypatch, capfd)


@pytest.fixture
def configs(tmp_path: Path) -> Callable[..., Path]:
    """A folder of configs, without any weights."""

    def write(**config: object) -> Path:
        folder = tmp_path / "configs"
        write_json(folder / "unet/config.json", config)
        index = {"_class_name": "X", "unet": ["diffusers", "UNet2DConditionModel"]}
        write_json(folder / "model_index.json", index)
        return folder

    return write


def resident_bytes() -> int:
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # or what was free before would be used first
    size: int = psutil.Process(os.getpid()).memory_info().rss
    return size


def test_a_model_of_middling_size_takes_what_was_planned(configs: Callable[..., Path]) -> None:
    folder = configs(**MIDDLE)
    (planned,) = sizes_of(folder, torch.float32)
    found = find_class("diffusers", "UNet2DConditionModel", "unet")
    before = resident_bytes()
    module = found.from_config(found.load_config(folder / "unet"))
    taken = resident_bytes() - before
    assert planned.parameters == sum(weight.numel() for weight in module.parameters())
    assert abs(taken - planned.bytes) < 0.05 * planned.bytes


KNOWN = {
    "sdxl": {"unet": 2.567, "text_encoder_2": 0.695, "text_encoder": 0.123, "vae": 0.084},
    "flux": {"transformer": 11.90, "text_encoder_2": 4.76, "text_encoder": 0.123, "vae": 0.084},
    "wan-14b": {"transformer": 14.29, "text_encoder": 5.68, "vae": 0.127},
}


@pytest.mark.parametrize("name", KNOWN)
def test_the_shapes_that_come_along_are_those_of_the_models(name: str) -> None:
    found = {size.role: size for size in sizes_of(SHAPES / name, torch.bfloat16)}
    billions = {role: round(size.parameters / 1e9, 3) for role, size in found.items()}
    assert billions == pytest.approx(KNOWN[name], abs=0.01)
    plain = found["vae"]
    assert plain.bytes == pytest.approx(2 * plain.parameters, rel=0.001)


def size(role: str, kind: str, count: int, layer: int) -> Size:
    return Size(role, "X", kind, count, 2 * count, layer, {"int8": count, "int4": count // 2})  # type: ignore[arg-type]


def test_ways_to_run_a_model_need_less_and_less() -> None:
    found = ways([size("unet", "backbone", 100, 30), size("vae", "autoencoder", 20, 10)])
    assert {way.name: (way.device, way.host) for way in found} == {
        "all resident": (240, 0),
        "all resident, backbone in int8": (140, 0),
        "all resident, backbone in int4": (90, 0),
        "one component at a time": (200, 240),
        "backbone a layer at a time": (60, 240),
        "all a layer at a time": (60, 240),
    }
    assert [way.fits(150, 20) for way in found] == [False, False, True, False, True, True]


@pytest.mark.parametrize(
    ("config", "error"),
    [
        ({"layers_per_block": 10**7}, AbsurdConfig),
        ({"block_out_channels": [10**15]}, AbsurdConfig),
        ({"down_block_types": ["Nothing"]}, BadModelFolder),
    ],
)
def test_a_config_that_makes_no_sense_is_refused(
    configs: Callable[..., Path], config: dict[str, object], error: type
) -> None:
    with pytest.raises(error) as caught:
        sizes_of(configs(**config), torch.bfloat16)
    assert "\n" not in str(caught.value)


def test_the_command_plans_for_a_device(cli: Cli, configs: Callable[..., Path]) -> None:
    code, said, _ = cli("models", "plan", "sdxl", "--device-memory", "8GB")
    assert code == 0
    assert "2.567 B" in said
    assert "fits" in said
    assert "8 GB with 2 GB kept" in said
    folder = configs(block_out_channels=[32, 64], layers_per_block=1, **SMALL)
    found = json.loads(cli("models", "plan", folder, "--dtype", "fp32", "--json")[1])
    (unet,) = found["components"]
    assert unet["bytes"] == 4 * unet["parameters"]
    assert [way["fits"] for way in found["ways"]] == [None] * 6
    assert cli("models", "plan", "nothing")[0] == 2


SMALL = {
    "down_block_types": ["DownBlock2D", "DownBlock2D"],
    "up_block_types": ["UpBlock2D", "UpBlock2D"],
    "mid_block_type": None,
}
