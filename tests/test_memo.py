from collections.abc import Callable
from typing import Any

import pytest
import torch
from calls_cases import component
from torch import Tensor, nn

from omnifex.engine.call import ComponentCall
from omnifex.engine.context import JobContext
from omnifex.engine.memo import Memo


class Encoder(nn.Module):
    """Counts outside of itself how often it computes."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(50, 8)

    def forward(self, ids: Tensor, *, output_hidden_states: bool = False) -> dict[str, Any]:
        COMPUTED.append(tuple(ids.flatten().tolist()))
        found = self.table(ids)
        return {"last": found, "hidden": (found, found * 2) if output_hidden_states else None}


class Stateful(Encoder):
    """Counts on itself."""

    count = 0

    def forward(self, ids: Tensor, **others: Any) -> dict[str, Any]:
        self.count += 1
        return super().forward(ids, **others)


class Lazy(Encoder):
    """Makes a table at its first call."""

    ready: Tensor | None = None

    def forward(self, ids: Tensor, **others: Any) -> dict[str, Any]:
        if self.ready is None:
            self.ready = torch.ones(1)
        return super().forward(ids, **others)


class Dropping(Encoder):
    """Draws from torch's own randomness."""

    def forward(self, ids: Tensor, **others: Any) -> dict[str, Any]:
        return {"last": super().forward(ids, **others)["last"] * torch.rand(())}


COMPUTED: list[tuple[int, ...]] = []


@pytest.fixture(autouse=True)
def _computed() -> None:
    COMPUTED.clear()


def asking(
    memo: Memo, module: nn.Module, role: str = "text_encoder", **job: Any
) -> Callable[..., Any]:
    """A function that calls the module as the engine does."""

    def ask(*ids: int, **kwargs: Any) -> Any:
        context = JobContext("job", 0, torch.device("cpu"), **job)
        call = ComponentCall(context, component(role), "__call__", (torch.tensor([ids]),), kwargs)

        def compute() -> Any:
            with torch.inference_mode(), memo.purity.watched(call, module):
                return call.run(module)

        return memo.answer(call, compute)

    return ask


def test_a_text_is_encoded_once() -> None:
    ask = asking(Memo(), Encoder())
    first, again, other = ask(1, 2, 3), ask(1, 2, 3), ask(1, 2, 4)
    assert torch.equal(first["last"], again["last"])
    assert not torch.equal(first["last"], other["last"])
    assert COMPUTED == [(1, 2, 3), (1, 2, 4)]


def test_what_else_is_asked_makes_another_call() -> None:
    ask = asking(Memo(), Encoder())
    assert ask(1, 2)["hidden"] is None
    assert len(ask(1, 2, output_hidden_states=True)["hidden"]) == 2
    assert len(COMPUTED) == 2


def test_no_job_changes_what_another_gets() -> None:
    ask = asking(Memo(), Encoder())
    first = ask(1, 2)
    expected = first["last"].clone()
    for _ in range(2):
        with torch.inference_mode():
            first["last"].zero_()
        first = ask(1, 2)
        assert torch.equal(first["last"], expected)


@pytest.mark.parametrize("module", [Stateful(), Dropping()])
def test_a_component_with_state_or_chance_in_it_is_not_remembered(module: nn.Module) -> None:
    ask = asking(Memo(), module)
    for _ in range(5):
        ask(1, 2)
    assert len(COMPUTED) == 5


def test_a_table_made_at_the_first_call_is_no_state() -> None:
    ask = asking(Memo(), Lazy())
    for _ in range(5):
        ask(1, 2)
    assert len(COMPUTED) == 2


def test_conditioners_alone_are_remembered() -> None:
    ask = asking(Memo(), Encoder(), role="transformer")
    ask(1, 2)
    ask(1, 2)
    assert len(COMPUTED) == 2


def test_a_deterministic_job_computes_for_itself() -> None:
    memo, encoder = Memo(), Encoder()
    asking(memo, encoder)(1, 2)
    asking(memo, encoder, deterministic=True)(1, 2)
    assert len(COMPUTED) == 2


def test_the_least_recently_used_is_forgotten_first() -> None:
    size = 2 * 8 * 4  # two tokens of eight numbers
    memo = Memo(budget=4 * size)
    ask = asking(memo, Encoder())
    for number in (1, 2, 3, 4, 1, 5):  # 1 is asked for again, so that 2 is the oldest
        ask(number, number)
    assert memo.bytes == 4 * size
    COMPUTED.clear()
    ask(1, 1)
    ask(2, 2)
    assert COMPUTED == [(2, 2)]
    memo.clear()
    assert memo.bytes == 0
    ask(1, 1)
    assert COMPUTED == [(2, 2), (1, 1)]


def test_an_output_that_would_crowd_out_the_others_is_not_kept() -> None:
    memo = Memo(budget=100)
    asking(memo, Encoder())(1, 2)
    assert memo.bytes == 0
