"""A studio on a database server: jobs there, files in a folder that all machines share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from studio_cases import open_tiles

from benchmarks.postgres_server import PostgresServer
from omnifex.home import NoPlaceForFiles


@pytest.fixture
def address(postgres: PostgresServer) -> Iterator[str]:
    yield postgres.url("studio")
    postgres.drop("studio")


def test_two_studios_share_jobs_models_and_files(address: str, tmp_path: Path) -> None:
    files = tmp_path / "shared"
    with open_tiles(address, artifacts=files) as works:
        made = works.submit("tile", prompt="a red tile", seed=1)
        first, *_ = made.result(60)
        with open_tiles(address, artifacts=files, workers=0) as watches:
            assert watches.home == files
            assert [model.name for model in watches.models.list()] == [made.model]
            same = watches.job(made.id).artifacts[0]
            assert same.path.read_bytes() == first.path.read_bytes()
            again = watches.replay(made.id)
            assert again.result(60)[0].sha256 == first.sha256
            kinds = [event.kind for event in watches.events()]
    assert kinds.count("succeeded") == 2
    assert files in first.path.parents


def test_a_server_alone_has_no_place_for_files(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NoPlaceForFiles, match="give artifacts= or set"):
        open_tiles(address)
    monkeypatch.setenv("OMNIFEX_ARTIFACTS", str(tmp_path / "files"))
    monkeypatch.setenv("OMNIFEX_HOME", address)
    with open_tiles(workers=0) as studio:
        assert studio.home == tmp_path / "files"
