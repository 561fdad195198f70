"""What every test stands on: one thread of torch and a home of its own."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True, scope="session")
def one_torch_thread() -> None:
    """More threads than cores slow tiny tensors down, and change their last bits."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def omnifex_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty $OMNIFEX_HOME; nothing of the user's is read or written."""
    home = tmp_path / "home"
    monkeypatch.setenv("OMNIFEX_HOME", str(home))
    monkeypatch.delenv("OMNIFEX_PLUGINS", raising=False)
    return home
