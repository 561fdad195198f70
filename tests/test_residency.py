import threading
import weakref
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from engine_cases import wait_until
from tiny_models import Affine, save_plain, save_stable_diffusion

from omnifex.engine.memory.residency import Residency
from omnifex.engine.memory.resident import TooLarge
from omnifex.engine.memory.tiers import CPU, Tier, expected_bytes, held_bytes
from omnifex.engine.scheduling.costs import CostModel
from omnifex.errors import OmnifexError
from omnifex.memory import checked_memory, shown
from omnifex_jobs import ComponentCost
from omnifex_registry import Component, allow_library, load_component
from omnifex_registry.errors import BadModelFolder
from omnifex_registry.identify import identify
from omnifex_registry.layout import read_layout

allow_library("tiny_models")
SIZE = 4 * (100 * 100 + 100) + 8  # of Affine(100): a matrix, a vector and a counter

Make = Callable[..., Component]


@pytest.fixture
def affine(tmp_path: Path) -> Make:
    """Components of equal size and different contents, by name."""

    @cache
    def make(name: str, role: str = "backbone") -> Component:
        torch.manual_seed(sum(map(ord, name)))
        folder = save_plain(tmp_path / name, Affine(100), size=100)
        (slot,) = read_layout(folder).slots
        return replace(identify(slot), role=role)

    return make


def residency(budget: float, host_budget: int = 0) -> Residency:
    return Residency(CPU, budget=int(budget), host_budget=host_budget)


def held(of: Residency) -> set[str]:
    return {resident.component.path.parent.name for resident in of.listing()}


def run(memory: Residency, job: str, *components: Component) -> None:
    """A job that calls these, one after another."""
    with memory.expecting(job, components):
        for component in components:
            with memory.using(component, jobs=[job]):
                pass


def test_a_component_is_loaded_once_and_shown(affine: Make) -> None:
    memory, component = residency(2 * SIZE), affine("a")
    assert memory.seconds_to_bring(component) > 0
    assert memory.bring(component) is memory.bring(component)
    (resident,) = memory.listing()
    assert (resident.tier, resident.bytes, resident.loads) == (Tier.DEVICE, SIZE, 1)
    assert resident.used_at > 0
    assert resident.seconds > 0
    assert memory.seconds_to_bring(component) == 0
    assert (memory.taken, memory.loads, memory.reloads) == (SIZE, 1, 0)


def test_what_earlier_processes_learned_of_a_load_is_believed_until_the_first_one(
    affine: Make,
) -> None:
    costs, component = CostModel(), affine("a")
    costs.restore([], [ComponentCost(component.id, 7.0)])
    memory = Residency(CPU, costs=costs)
    assert memory.seconds_to_bring(component) == 7.0
    memory.bring(component)
    memory.clear()
    assert 0 < memory.seconds_to_bring(component) < 7.0


def test_components_stay_within_the_budget_and_reloads_are_counted(affine: Make) -> None:
    memory = residency(2 * SIZE)
    for name in ("a", "b", "c", "a"):
        memory.bring(affine(name))
        assert memory.taken <= memory.budget
    assert held(memory) == {"c", "a"}
    assert (memory.loads, memory.reloads) == (4, 1)


def test_what_most_jobs_used_stays(affine: Make) -> None:
    memory, shared = residency(2 * SIZE), affine("shared", "text_encoder")
    for job, name in enumerate(("a", "b", "c", "a")):
        run(memory, f"{job}", shared, *[affine(name)] * 30)
        assert held(memory) == {"shared", name}
    loads = {resident.component.role: resident.loads for resident in memory.listing()}
    assert loads == {"text_encoder": 1, "backbone": 2}


def test_what_a_running_job_still_needs_stays(affine: Make) -> None:
    memory = residency(2 * SIZE)
    encoder, backbone, other = (
        affine("encoder", "text_encoder"),
        affine("backbone"),
        affine("other"),
    )
    with memory.expecting("one", [encoder, backbone]):
        for component in (backbone, encoder):
            with memory.using(component, jobs=["one"]):
                pass
        run(memory, "two", other)
        assert held(memory) == {"backbone", "other"}  # the prompt has been read


def test_an_old_use_counts_less_than_new_ones(affine: Make) -> None:
    memory, once, now = residency(2 * SIZE), affine("once"), affine("now")
    for component, times in ((once, 3), (now, 60), (affine("new"), 1)):
        for job in range(times):
            run(memory, f"{job}", component)
    assert held(memory) == {"now", "new"}


def test_room_is_made_for_what_a_call_needs_beside_the_weights(affine: Make) -> None:
    memory = residency(3 * SIZE)
    for name in ("a", "b"):
        memory.bring(affine(name))
    with memory.using(affine("a"), need=SIZE):
        assert held(memory) == {"a", "b"}
    with memory.using(affine("a"), need=2 * SIZE):
        assert held(memory) == {"a"}
    with memory.using(affine("b"), need=9 * SIZE):
        assert held(memory) == {"b"}


def test_a_pinned_component_is_waited_for(affine: Make) -> None:
    memory, brought = residency(1.5 * SIZE), threading.Event()

    def bring() -> None:
        memory.bring(affine("b"))
        brought.set()

    with memory.using(affine("a")):
        thread = threading.Thread(target=bring)
        thread.start()
        wait_until(lambda: len(memory._room.held) == 2)
        assert held(memory) == {"a"}
        assert not brought.is_set()
    thread.join(10)
    assert brought.is_set()
    assert held(memory) == {"b"}


def test_threads_that_ask_at_once_get_one_module(affine: Make) -> None:
    memory, components, found = residency(2 * SIZE), [affine("a"), affine("b"), affine("c")], []
    gate = threading.Barrier(6)

    def ask(component: Component) -> None:
        gate.wait()
        for _ in range(20):
            with memory.using(component) as module:
                found.append(module(torch.ones(100)).isfinite().all())

    threads = [threading.Thread(target=ask, args=[component]) for component in components * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == 120
    assert all(found)
    assert memory.taken <= memory.budget
    assert all(not entry.pins for entry in memory._room.held.values())


def test_a_failed_load_leaves_nothing_behind(affine: Make, tmp_path: Path) -> None:
    memory, component = residency(SIZE), affine("a")
    with pytest.raises(BadModelFolder):
        memory.bring(replace(component, path=tmp_path / "gone"))
    assert (memory.taken, memory.listing()) == (0, [])
    assert isinstance(memory.bring(component), Affine)


def test_a_component_larger_than_the_budget_is_refused_on_a_cpu(affine: Make) -> None:
    memory = residency(SIZE - 1)
    with pytest.raises(TooLarge) as caught:
        memory.bring(affine("a"))
    assert str(caught.value) == (
        "backbone (Affine) takes 40.4 kB, but components may use 40.4 kB on cpu; "
        "allow more with --memory, or use a smaller model."
    )
    assert memory.listing() == []


@pytest.fixture(scope="module")
def diffusion(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Component]:
    folder = save_stable_diffusion(tmp_path_factory.mktemp("models") / "sd")
    return {slot.role: identify(slot) for slot in read_layout(folder).slots}


@pytest.mark.parametrize("role", ["unet", "vae", "text_encoder"])
def test_what_is_evicted_is_freed_at_once(diffusion: dict[str, Component], role: str) -> None:
    memory = residency(1e9)
    module = weakref.ref(memory.bring(diffusion[role]))
    assert module() is not None
    memory.empty(keep=diffusion["tokenizer"])
    assert module() is None


@pytest.mark.parametrize("role", ["unet", "vae", "text_encoder"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_components_bytes_are_known_before_it_is_loaded(
    diffusion: dict[str, Component], role: str, dtype: torch.dtype
) -> None:
    module = load_component(diffusion[role], dtype=dtype)
    expected = expected_bytes(diffusion[role], CPU, dtype)
    persistent = sum(tensor.nbytes for tensor in module.state_dict().values())
    assert expected == persistent
    assert held_bytes(module) == pytest.approx(expected, rel=0.05)  # transformers' position ids


def test_what_leaves_an_accelerator_waits_in_host_memory(affine: Make) -> None:
    memory = residency(SIZE, host_budget=SIZE)
    first = memory.bring(affine("a"))
    memory.bring(affine("b"))
    tiers = {entry.component.path.parent.name: entry.tier for entry in memory.listing()}
    assert tiers == {"a": Tier.HOST, "b": Tier.DEVICE}
    assert memory.seconds_to_bring(affine("a")) > 0
    assert memory.bring(affine("a")) is first
    assert memory.loads == 2
    memory.bring(affine("c"))  # two have to leave: there is room for one
    assert len(memory.listing()) == 2


def test_host_memory_keeps_what_is_worth_more(affine: Make) -> None:
    memory, dear, cheap = residency(SIZE, host_budget=SIZE), affine("dear"), affine("cheap")
    for component in (*[dear] * 5, cheap, affine("third")):
        run(memory, "job", component)
    assert held(memory) == {"dear", "third"}


def layers(memory: Residency, component: Component, *inputs: Any) -> torch.Tensor:
    with memory.using(component) as module, torch.inference_mode():
        found = module(*inputs)
    return found[0] if isinstance(found, tuple) else getattr(found, "sample", found)


@pytest.mark.parametrize("role", ["unet", "vae"])
def test_a_component_larger_than_the_budget_comes_a_layer_at_a_time(
    diffusion: dict[str, Component], role: str
) -> None:
    torch.manual_seed(0)
    latents = torch.randn(1, 4 if role == "unet" else 3, 8, 8)
    inputs = [latents, 5, torch.randn(1, 7, 32)] if role == "unet" else [latents]
    whole = layers(residency(1e9), diffusion[role], *inputs)
    memory = residency(diffusion[role].bytes - 1, host_budget=10**9)
    assert torch.equal(layers(memory, diffusion[role], *inputs), whole)
    (resident,) = memory.listing()
    assert resident.tier is Tier.OFFLOADED
    assert memory.taken < diffusion[role].bytes / 2


def test_what_was_offloaded_in_need_comes_back_whole_once_its_jobs_ended(affine: Make) -> None:
    memory, component = residency(2 * SIZE, host_budget=10 * SIZE), affine("a")
    x = torch.ones(100)
    with memory.expecting("job", [component]):
        whole = layers(memory, component, x)
        assert memory.offload(component)
        assert not memory.offload(component)
        assert torch.equal(layers(memory, component, x), whole)
        assert memory.listing()[0].tier is Tier.OFFLOADED
    layers(memory, component, x)
    assert memory.listing()[0].tier is Tier.DEVICE


def test_weights_that_somebody_wrote_to_are_loaded_anew(affine: Make) -> None:
    memory, component = residency(2 * SIZE), affine("a")
    module = memory.bring(component)
    bias = module.linear.bias.clone()
    module.calls += 1  # a buffer is the module's own
    assert memory.altered([component, affine("b")]) == []
    with torch.inference_mode():
        module.linear.bias.add_(1)
    assert memory.altered([component]) == [component]
    assert memory.listing() == []
    assert torch.equal(memory.bring(component).linear.bias, bias)


@pytest.mark.parametrize(
    ("given", "size"),
    [
        ("8GB", 8 * 10**9),
        ("1.5 gb", 15 * 10**8),
        ("512MiB", 2**29),
        ("2k", None),
        ("lots", None),
        ("0GB", None),
        ("-1GB", None),
        ("", None),
        ("1e9", None),
        ("12345", 12345),
        (4096, 4096),
        (0, None),
        (True, None),
    ],
)
def test_a_size_of_memory_is_read_or_refused(given: Any, size: int | None) -> None:
    if size is not None:
        assert checked_memory(given) == size
        return
    with pytest.raises(OmnifexError, match="but must be a size above zero such as 8GB") as caught:
        checked_memory(given)
    assert repr(given) in str(caught.value)


def test_sizes_are_shown_as_people_write_them() -> None:
    sizes = [512, 40408, 999_950_000, 23_400_000_000, 1_200_000_000_000]
    assert [shown(size) for size in sizes] == [
        "512 bytes",
        "40.4 kB",
        "1 GB",
        "23.4 GB",
        "1200 GB",
    ]
    assert checked_memory(None) is None
