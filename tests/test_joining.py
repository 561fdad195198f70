import logging

import pytest
import torch
from calls_cases import (
    Counting,
    Drawing,
    Encoding,
    FirstTime,
    Folded,
    Honest,
    Lazy,
    Mixing,
    Overwriting,
    Refusing,
    Trial,
    Velocities,
    ask,
    asks,
)
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from torch import nn

from omnifex.engine.batching.joining import NotSplit, Plan, joined, plans, split
from omnifex.engine.call import Failure
from omnifex.engine.context import JobContext


def test_calls_of_one_signature_differ_in_their_numbers_alone() -> None:
    one, other = ask(torch.ones(1, 4), torch.tensor(0.5)), ask(torch.zeros(1, 4), torch.tensor(0.1))
    assert one.signature == other.signature
    for different in (
        ask(torch.ones(1, 5), torch.tensor(0.5)),
        ask(torch.ones(1, 4), torch.tensor([0.5])),
        ask(torch.ones(1, 4).double(), torch.tensor(0.5)),
        ask(torch.ones(1, 4), torch.tensor(0.5), name="b"),
        ask(torch.ones(1, 4), timestep=torch.tensor(0.5)),
        ask(torch.ones(1, 4), 0.5),
        ask(torch.ones(1, 4), {"t": torch.tensor(0.5)}),
        ask(torch.ones(1, 4), [torch.tensor(0.5)]),
    ):
        assert different.signature != one.signature


def test_a_call_with_a_value_of_unknown_meaning_is_not_joinable() -> None:
    assert ask(torch.ones(1, 4), torch.tensor(0.5)).joinable
    assert not ask(torch.ones(1, 4), DiagonalGaussianDistribution(torch.ones(1, 4))).joinable
    assert not ask("words alone").joinable
    job = JobContext("job", 0, torch.device("cpu"), deterministic=True)
    assert not ask(torch.ones(1, 4), job=job).joinable


def test_a_kind_of_call_leaves_out_the_rows() -> None:
    one = ask(torch.ones(1, 4), torch.tensor(0.5), places=torch.ones(3, 4))
    two = ask(torch.ones(2, 4), torch.tensor(0.5), places=torch.ones(3, 4))
    assert (one.kind, one.rows, two.rows) == (two.kind, 1, 2)
    assert one.kind.shape == "float32[4] float32[] float32[3,4]"


def test_rows_are_joined_times_repeated_and_tables_shared() -> None:
    places = torch.ones(3, 4)
    calls = [
        ask(torch.full((2, 4), n), torch.tensor(n), torch.tensor([n]), places=places.clone())
        for n in (1.0, 2.0, 3.0)
    ]
    (plan,) = plans(calls)
    assert plan.ways == ("rows", "each", "each", "shared")
    (x, scalar, single), kwargs = joined(plan, calls)
    assert x[:, 0].tolist() == scalar.tolist() == single.tolist() == [1, 1, 2, 2, 3, 3]
    assert kwargs["places"].shape == (3, 4)


def test_nested_arguments_are_joined_where_they_are() -> None:
    calls = [
        ask({"x": torch.full((1, 4), n)}, more=[(torch.tensor(n), None)], out=Velocities(x, (x,)))
        for n in (1.0, 2.0)
        for x in [torch.full((1, 2), n)]
    ]
    (plan,) = plans(calls)
    (first,), kwargs = joined(plan, calls)
    assert first["x"].shape == (2, 4)
    assert torch.equal(kwargs["more"][0][0], torch.tensor([1.0, 2.0]))
    assert kwargs["out"].residuals[0].shape == (2, 2)


def test_a_call_that_empties_its_lists_can_run_again() -> None:
    class Emptying(nn.Module):
        def forward(self, x: torch.Tensor, *, residuals: list[torch.Tensor]) -> torch.Tensor:
            while residuals:
                x = x + residuals.pop(0)
            return x

    ones = [ask(torch.ones(1, 4), residuals=[torch.ones(1, 4), torch.ones(1, 4)]) for _ in "ab"]
    for _ in "ab":
        assert torch.equal(ones[0].run(Emptying()), torch.full((1, 4), 3.0))
    (plan, *_) = plans(ones)
    args, kwargs = joined(plan, ones)
    assert torch.equal(Emptying()(*args, **kwargs), torch.full((2, 4), 3.0))


def test_outputs_are_split_however_they_are_nested() -> None:
    plan = Plan(1, ("rows",), outputs=(1, 2, None))
    output = {"a": torch.arange(3.0), "b": [torch.arange(6.0), (torch.ones(4), "x", None)]}
    parts = split(plan, output, 3)
    assert [part["a"].item() for part in parts] == [0, 1, 2]
    assert parts[2]["b"][0].tolist() == [4, 5]
    assert parts[1]["b"][1][1:] == ("x", None)
    parts[0]["b"][1][0].zero_()  # a job may do with its own what it likes
    assert parts[1]["b"][1][0].sum() == 4


def test_an_output_of_another_size_than_proved_is_not_split() -> None:
    with pytest.raises(NotSplit):
        split(Plan(1, ("rows",), outputs=(1,)), torch.ones(5), 3)
    with pytest.raises(NotSplit):
        split(Plan(1, ("rows",), outputs=(1,)), (torch.ones(3), torch.ones(3)), 3)
    with pytest.raises(NotSplit):
        split(Plan(1, ("rows",), outputs=(1,)), object(), 3)


@pytest.mark.parametrize("shape", [(1, 4), (2, 4), (3, 5, 4)])
def test_what_a_proof_returns_is_what_each_gives_alone(shape: tuple[int, ...]) -> None:
    trial, calls = Trial(Honest()), asks(shape=shape)
    for outcome, call in zip(trial.prove(calls), calls, strict=True):
        assert torch.equal(outcome.sample, call.run(trial.module).sample)


@pytest.mark.parametrize("shape", [(1, 4), (2, 4), (3, 5, 4)])
def test_after_the_proof_the_joined_output_is_the_same(shape: tuple[int, ...]) -> None:
    trial = Trial(Honest())
    assert trial.joins(asks(shape=shape))
    later = asks((0.3, 0.7, 0.2, 0.8), shape)
    plan = trial.proofs.plan(later)
    assert plan is not None
    for part, call in zip(split(plan, trial.join(plan, later), 4), later, strict=True):
        alone = call.run(trial.module)
        torch.testing.assert_close(part.sample, alone.sample, atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(part.residuals, alone.residuals, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        (Mixing(), "its results differ from those alone"),
        (FirstTime(), "its results differ from those alone"),
        (Refusing(), "ValueError: one at a time"),
        (Counting(), "it changes what it keeps on itself"),
        (Overwriting(), "it changes its inputs"),
    ],
)
def test_a_component_that_would_do_otherwise_is_never_joined(
    module: nn.Module, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    trial, calls = Trial(module), asks()
    with caplog.at_level(logging.WARNING, "omnifex.engine"):
        assert not trial.joins(calls)
    assert not trial.proofs.promising(asks()[0])
    assert caplog.messages == [
        "backbone (Honest) is not batched where it is called as with float32[4] float32[]: "
        f"{reason}."
    ]


def test_another_shape_of_the_same_component_has_its_own_proof() -> None:
    trial = Trial(Mixing())
    trial.prove(asks())
    assert not trial.proofs.promising(asks()[0])
    assert trial.proofs.promising(asks(shape=(2, 4))[0])


def test_a_table_filled_at_the_first_call_is_no_change() -> None:
    assert Trial(Lazy()).joins(asks())


def test_frames_folded_into_the_rows_are_told_apart_from_rows() -> None:
    def folded(same: bool) -> list:  # type: ignore[type-arg]
        words = [torch.full((6, 4), 1.0 if same else float(n)) for n in range(3)]
        return [
            ask(torch.randn(2, 3, 4), torch.tensor(0.1 * n + 0.1), words=told)
            for n, told in enumerate(words)
        ]

    assert Trial(Folded()).joins(folded(same=False))
    assert Trial(Folded()).joins(folded(same=True))


def test_the_distribution_that_an_autoencoder_answers_with_is_joined_and_split() -> None:
    trial = Trial(Encoding())
    calls = [ask(torch.randn(2, 4, 3, 3)) for _ in range(3)]
    assert trial.joins(calls)
    plan = trial.proofs.plan(calls)
    assert plan is not None
    for part, call in zip(split(plan, trial.join(plan, calls), 3), calls, strict=True):
        mine, alone = part.latent_dist, trial.module(*call.args).latent_dist
        assert mine is not alone
        assert torch.equal(mine.mean, alone.mean)
        draws = (one.sample(torch.Generator().manual_seed(1)) for one in (mine, alone))
        assert torch.equal(*draws)


@pytest.mark.parametrize("draw", [False, True])
def test_a_call_with_a_generator_is_joined_unless_it_draws(draw: bool) -> None:
    generators = [torch.Generator().manual_seed(number) for number in range(3)]
    trial = Trial(Drawing())
    calls = [
        ask(torch.randn(1, 4), torch.tensor(0.5), generator=generator, draw=draw)
        for generator in generators
    ]
    assert trial.joins(calls) is not draw
    for number, generator in enumerate(generators):
        own = torch.Generator().manual_seed(number)
        if draw:
            torch.randn(1, generator=own)
        assert torch.equal(generator.get_state(), own.get_state())


def test_a_table_that_differs_keeps_calls_apart() -> None:
    tables = [torch.ones(3, 4), torch.zeros(3, 4), torch.ones(3, 4)]
    calls = [ask(torch.randn(2, 4), torch.tensor(0.5), places=table) for table in tables]
    groups = Trial(Honest()).proofs.groups(calls)
    assert [[calls.index(call) for call in group] for group in groups] == [[0, 2], [1]]


def test_a_proof_holds_for_what_differed_and_for_no_more() -> None:
    """Equal times say nothing of different ones: FirstTime passes with them alone."""
    trial = Trial(FirstTime())
    assert trial.joins(asks((0.5, 0.5, 0.5)))
    different = asks((0.5, 0.1, 0.9))
    assert trial.proofs.plan(different) is None
    assert not trial.joins(different)

    honest = Trial(Honest())
    honest.prove(asks((0.5, 0.5)))
    assert honest.joins(different)
    assert honest.proofs.plan(asks((0.5, 0.5))) is not None
    assert honest.together == 2


def test_a_failing_or_endless_member_says_nothing_of_joining() -> None:
    trial = Trial(Honest())
    calls = asks()
    calls[1].args[0].fill_(torch.nan)
    trial.prove(calls)
    assert trial.together == 0
    assert trial.proofs.promising(calls[0])

    refusing = Trial(Refusing())
    outcomes = refusing.prove(asks(shape=(2, 4)))
    assert all(isinstance(outcome, Failure) for outcome in outcomes)
    assert refusing.proofs.promising(asks(shape=(2, 4))[0])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_tolerance_follows_the_dtype(dtype: torch.dtype) -> None:
    def calls() -> list:  # type: ignore[type-arg]
        return [ask(torch.randn(4, 64, 4).to(dtype), torch.rand(()).to(dtype)) for _ in range(4)]

    assert Trial(Honest().to(dtype)).joins(calls())
    assert not Trial(Mixing().to(dtype)).joins(calls())
    assert not Trial(FirstTime().to(dtype)).joins(calls())
