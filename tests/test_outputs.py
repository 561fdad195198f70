"""Outputs of components as bytes, and fingerprints of their inputs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from diffusers.models.modeling_outputs import AutoencoderKLOutput, Transformer2DModelOutput
from torch import Tensor
from transformers.cache_utils import DynamicCache
from transformers.modeling_outputs import BaseModelOutputWithPooling

from omnifex.engine.call import ComponentCall
from omnifex.engine.context import JobContext
from omnifex.engine.durability.fingerprint import SMALL_BYTES, WORDS, fingerprint
from omnifex.engine.durability.outputs import Unreadable, Unwritable, packed, unpacked
from omnifex_registry import Component

CPU = torch.device("cpu")
DTYPES = (
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.float64,
    torch.float8_e4m3fn,
    torch.int64,
    torch.uint8,
    torch.complex128,
    torch.bool,
)


def again(output: Any) -> Any:
    """The output after a time in a file."""
    form, data = packed(output)
    return unpacked(json.loads(json.dumps(form)), data, CPU)


def bits(tensor: Tensor) -> bytes:
    data: bytes = tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
    return data


def assert_same(one: Tensor, other: Tensor) -> None:
    assert (one.dtype, one.shape, one.stride()) == (other.dtype, other.shape, other.stride())
    assert bits(one) == bits(other)


# Outputs


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_tensor_comes_back_to_the_bit(dtype: torch.dtype) -> None:
    with torch.inference_mode():
        tensor = torch.randint(0, 256, (3, 64), dtype=torch.uint8)
        tensor = (tensor > 99) if dtype is torch.bool else tensor.view(dtype)
        found = again(tensor)
        assert found.is_inference()
        assert_same(tensor, found)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.tensor(1.5),
        torch.zeros(0, 4),
        torch.full((1,), math.nan).expand(1),
        torch.rand(2, 3, 4, 5).to(memory_format=torch.channels_last),
        torch.rand(4, 6).t(),
        torch.rand(2, 8, 3).chunk(2, dim=1)[1].contiguous(),
    ],
    ids=["scalar", "empty", "one", "channels last", "transposed", "chunk"],
)
def test_so_does_its_place_in_memory(tensor: Tensor) -> None:
    assert_same(tensor, again(tensor))


def test_views_come_back_with_their_values() -> None:
    whole = torch.arange(12.0).view(3, 4)
    views = (whole[:, 1:3], whole[:, :1].expand(3, 5), whole.chunk(3)[2])
    assert all(torch.equal(a, b) for a, b in zip(views, again(views), strict=True))


def test_nested_values_keep_their_types() -> None:
    value = {"a": [1, 2.5, None, True, "text"], "b": (torch.ones(2), {"c": ()}), "d": math.inf}
    found = again(value)
    assert_same(found["b"][0], torch.ones(2))
    assert {**found, "b": ()} == {**value, "b": ()}
    assert found["b"][1] == {"c": ()}
    assert list(found) == list(value)


def test_a_tensor_that_is_there_twice_is_one() -> None:
    one = torch.rand(3)
    none = torch.zeros(0, 2)
    first, second, empty, third = again((one, [one], none, one.clone()))
    assert first is second[0]
    assert first is not third
    assert empty.shape == (0, 2)


def test_outputs_of_the_libraries_come_back_as_they_are() -> None:
    hidden, states = torch.rand(1, 4, 8), (torch.rand(1, 4, 8), torch.rand(1, 4, 8))
    encoded = BaseModelOutputWithPooling(last_hidden_state=hidden, hidden_states=states)
    found = again(encoded)
    assert type(found) is BaseModelOutputWithPooling
    assert_same(found.last_hidden_state, found[0])
    assert_same(found.hidden_states[1], states[1])
    assert found.pooler_output is None
    assert again(Transformer2DModelOutput(sample=hidden)).sample.equal(hidden)


def test_the_distribution_of_an_autoencoder_draws_the_same() -> None:
    encoded = AutoencoderKLOutput(DiagonalGaussianDistribution(torch.randn(1, 8, 4, 4)))
    one, other = (
        output.latent_dist.sample(torch.Generator().manual_seed(1))
        for output in (encoded, again(encoded))
    )
    assert_same(one, other)


class Secret:
    pass


@pytest.mark.parametrize(
    "value",
    [
        Secret(),
        {1: "a number as a name"},
        {"a", "set"},
        DynamicCache(),
        torch.eye(3).to_sparse(),
        torch.nn.Linear(1, 1),
        torch.Generator(),
        torch.complex(torch.ones(2), torch.ones(2)).conj(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_cannot_be_written_is_refused(value: Any) -> None:
    with pytest.raises(Unwritable):
        packed([value])


@pytest.mark.parametrize(
    "name",
    [
        "builtins:object",
        "subprocess:Popen",
        "diffusers.models.modeling_utils:ModelMixin",
        "diffusers.models.modeling_outputs:no_such_class",
        "no_such_module:Output",
        "os:path",
    ],
)
def test_no_other_class_is_ever_made(name: str) -> None:
    with pytest.raises(Unreadable):
        unpacked({"class": name, "parts": {}}, b"", CPU)


def test_damaged_tensors_are_unreadable() -> None:
    form, data = packed(torch.ones(3))
    with pytest.raises(Unreadable):
        unpacked(form, data[:-1], CPU)
    for wrong in ({"dtype": "no_such"}, {"dtype": "nn"}, {"shape": [4]}, {"at": 4}):
        with pytest.raises(Unreadable):
            unpacked(form | wrong, data, CPU)


# Fingerprints


@pytest.fixture(scope="module")
def component(tmp_path_factory: pytest.TempPathFactory) -> Component:
    import dots_plugin

    from omnifex.workbench import Workbench

    with Workbench(tmp_path_factory.mktemp("bench"), [dots_plugin], entry_points=False) as bench:
        return bench.model("dots-1").components["backbone"]


def of(component: Component, *args: Any, method: str = "__call__", **kwargs: Any) -> str:
    job = JobContext("job", 0, CPU)
    return fingerprint(ComponentCall(job, component, method, args, kwargs))


def test_equal_calls_have_equal_fingerprints(component: Component) -> None:
    one = torch.rand(4, 4)
    assert of(component, one, scale=[1.0, None]) == of(component, one.clone(), scale=[1.0, None])
    assert of(component, one.t()) == of(component, one.t().contiguous())


@pytest.mark.parametrize(
    "other",
    [
        {"args": [torch.zeros(2, 2)]},
        {"args": [torch.ones(4)]},
        {"args": [torch.ones(2, 2, dtype=torch.float64)]},
        {"args": [torch.ones(2, 2)], "method": "decode"},
        {"args": [torch.ones(2, 2)], "kwargs": {"scale": 1.0}},
        {"args": [torch.ones(2, 2), True]},
        {"args": [[torch.ones(2, 2)]]},
    ],
    ids=["values", "shape", "dtype", "method", "keyword", "argument", "nesting"],
)
def test_other_calls_have_others(component: Component, other: Mapping[str, Any]) -> None:
    call = {"args": [torch.ones(2, 2)], "kwargs": {}, "method": "__call__"} | dict(other)
    found = of(component, *call["args"], method=call["method"], **call["kwargs"])
    assert found != of(component, torch.ones(2, 2))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.uint8], ids=str)
def test_a_bit_anywhere_in_a_large_tensor_counts(component: Component, dtype: torch.dtype) -> None:
    size = SMALL_BYTES + 8 * WORDS + 13
    raw = torch.randint(0, 256, (size // dtype.itemsize * dtype.itemsize,), dtype=torch.uint8)
    whole = of(component, raw.view(dtype))
    for place in (0, 7, 8 * WORDS, SMALL_BYTES, len(raw) - 14, len(raw) - 1):
        changed = raw.clone()
        changed[place] ^= 1
        assert of(component, changed.view(dtype)) != whole


def test_large_constants_are_told_apart(component: Component) -> None:
    size = SMALL_BYTES
    found = {of(component, torch.full((size,), value)) for value in (0.0, 0.5, 1.0, -1.0)}
    assert len(found) == 4


def test_a_large_view_at_an_odd_place_is_read(component: Component) -> None:
    whole = torch.rand(SMALL_BYTES + 1)
    assert of(component, whole[1:]) == of(component, whole[1:].clone())
