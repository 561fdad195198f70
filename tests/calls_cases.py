"""Components that are joined well or badly, and calls of them without an engine around."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKLOutput
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from diffusers.utils import BaseOutput
from torch import Tensor, nn

from omnifex.engine.batching.joining import Plan
from omnifex.engine.batching.proof import Proofs
from omnifex.engine.call import ComponentCall, Failure
from omnifex.engine.context import JobContext
from omnifex.engine.runner import run_joined
from omnifex_registry import Component


@dataclass
class Velocities(BaseOutput):
    """What models of diffusers return."""

    sample: Tensor
    residuals: tuple[Tensor, ...]


class Honest(nn.Module):
    """Rows in, rows out, each by its own time; a table of places that all rows share."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(4, 4)

    def forward(
        self, x: Tensor, timestep: Tensor, *, places: Tensor | None = None, name: str = ""
    ) -> Velocities:
        t = timestep.reshape(-1, *[1] * (x.ndim - 1))
        y = self.linear(x) * t + (0 if places is None else places)
        return Velocities(y, (y * 2, y.mean(-1)))


class Mixing(Honest):
    """Takes the leading axis for something else: each row sees the mean of all."""

    def forward(self, x: Tensor, timestep: Tensor, **others: Any) -> Velocities:
        return super().forward(x - x.mean(0, keepdim=True), timestep)


class FirstTime(Honest):
    """Believes that all rows are at one time."""

    def forward(self, x: Tensor, timestep: Tensor, **others: Any) -> Velocities:
        return super().forward(x, timestep.reshape(-1)[:1])


class Folded(Honest):
    """As AnimateDiff: x (B, F, 4) has F frames, and `words` (B·F, 4) are told to each of them."""

    def forward(self, x: Tensor, timestep: Tensor, *, words: Tensor, **others: Any) -> Velocities:
        return super().forward(x + words.view(x.shape), timestep)


class Counting(Honest):
    """Remembers how often it was called."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def forward(self, *args: Any, **kwargs: Any) -> Velocities:
        self.count += 1
        return super().forward(*args, **kwargs)


class Encoding(nn.Module):
    """Answers with a distribution, as autoencoders do."""

    def forward(self, x: Tensor) -> AutoencoderKLOutput:
        return AutoencoderKLOutput(DiagonalGaussianDistribution(torch.cat([x, x / 2], dim=1)))


class Drawing(Honest):
    """Draws from the generator that it is given, if it is told to."""

    def forward(self, x: Tensor, timestep: Tensor, **others: Any) -> Velocities:
        generator = others.get("generator")
        noise = torch.randn(1, generator=generator) if others["draw"] else 0.0
        return super().forward(x + noise, timestep)


class Lazy(Honest):
    """Makes a table when it is first called, and keeps it."""

    table: Tensor | None = None

    def forward(self, x: Tensor, timestep: Tensor, **others: Any) -> Velocities:
        if self.table is None:
            self.table = torch.ones(4)
        return super().forward(x * self.table, timestep)


class Overwriting(Honest):
    """Works in place on what it is given."""

    def forward(self, x: Tensor, timestep: Tensor, **others: Any) -> Velocities:
        result = super().forward(x, timestep)
        x.mul_(0)
        return result


class Refusing(Honest):
    """Takes one job's rows at a time."""

    def forward(self, x: Tensor, timestep: Tensor, **others: Any) -> Velocities:
        if len(x) > 1:
            raise ValueError("one at a time")
        return super().forward(x, timestep)


def component(role: str = "backbone") -> Component:
    return Component("sha256:0", role, "tests", "Honest", Path(), 0, 0, {}, False)


def ask(*args: Any, job: JobContext | None = None, **kwargs: Any) -> ComponentCall:
    job = job or JobContext("job", 0, torch.device("cpu"))
    return ComponentCall(job, component(), "__call__", args, kwargs)


def asks(
    times: tuple[float, ...] = (0.1, 0.5, 0.9), shape: tuple[int, ...] = (1, 4), **kwargs: Any
) -> list[ComponentCall]:
    """Calls with other noise and other times."""
    noise = torch.Generator().manual_seed(7)
    return [ask(torch.randn(shape, generator=noise), torch.tensor(t), **kwargs) for t in times]


class Trial:
    """A module whose calls are proved and joined as the runner does it."""

    def __init__(self, module: nn.Module) -> None:
        self.module, self.proofs, self.together = module, Proofs(), 0

    def prove(self, calls: list[ComponentCall]) -> list[Any]:
        return self.proofs.prove(calls, self.module, self.alone, self.join)

    def joins(self, calls: list[ComponentCall]) -> bool:
        """Whether these would be joined, after a first time."""
        self.prove(calls)
        return self.proofs.plan(calls) is not None

    def alone(self, call: ComponentCall) -> Any:
        try:
            return call.run(self.module)
        except Exception as error:
            return Failure(error)

    def join(self, plan: Plan, calls: list[ComponentCall]) -> Any:
        self.together += 1
        return run_joined(self.module, plan, calls)


Change = Callable[[Mapping[str, Any]], Mapping[str, Any]]
