"""For authors of plugins: pytest fixtures, and `pytest --omnifex-plugin NAME`.

pytest loads this module by its entry point, before coverage starts and whether or not a test needs
it: nothing of omnifex is imported outside the fixtures.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from omnifex.engine.context import JobContext
    from omnifex.toy import ExactBackbone
    from omnifex.workbench import Workbench

CONFORMANCE = Path(__file__).with_name("conformance.py")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("omnifex").addoption(
        "--omnifex-plugin",
        metavar="NAME",
        help="check that a plugin, by its entry point or module name, keeps omnifex's contract",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Add the conformance checks to the tests that were named, or run them alone."""
    if config.getoption("--omnifex-plugin"):
        named = config.args if config.args_source is pytest.Config.ArgsSource.ARGS else []
        config.args = [*named, str(CONFORMANCE)]


@pytest.fixture
def omnifex_toy() -> ExactBackbone:
    """The exact backbone v = (x - c)/t, called as `backbone(latents, timestep, target=c)`."""
    from omnifex.toy import ExactBackbone

    return ExactBackbone()


@pytest.fixture
def omnifex_job() -> JobContext:
    """A job outside any engine, seed 0 on the CPU, to call a family's parts with."""
    import torch

    from omnifex.engine.context import JobContext

    return JobContext("test", seed=0, device=torch.device("cpu"))


@pytest.fixture
def omnifex_workbench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Workbench]:
    """`omnifex_workbench.make("image", prompt=…, seed=7).files`, with all installed plugins.

    A test module that names its plugin, `omnifex_plugin = sprite`, need not have it installed.
    """
    from omnifex.workbench import Workbench

    plugin: Any = getattr(request.module, "omnifex_plugin", None)
    with Workbench(tmp_path, [plugin] if plugin else []) as workbench:
        yield workbench
