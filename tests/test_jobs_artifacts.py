import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from jobs_cases import small_disk

from omnifex_jobs import ArtifactStore
from omnifex_jobs.errors import ArtifactMissing, DiskFull, FileUnreadable, StoreUnwritable

PNG = b"\x89PNG not really" * 1000
SHA = hashlib.sha256(PNG).hexdigest()


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "home" / "artifacts")


def files(root: Path) -> list[str]:
    return sorted(str(it.relative_to(root)) for it in root.rglob("*") if it.is_file())


def test_a_file_is_named_by_its_content(store: ArtifactStore) -> None:
    stored = store.put(PNG, suffix=".png", media_type="image/png")
    assert (stored.sha256, stored.size, stored.media_type) == (SHA, len(PNG), "image/png")
    assert stored.path == store.root / SHA[:2] / f"{SHA}.png" == store.path(SHA)
    assert files(store.root) == [f"{SHA[:2]}/{SHA}.png"]
    with store.open(SHA) as file:
        assert file.read() == PNG


def test_a_file_on_disk_is_copied_and_left(store: ArtifactStore, tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(PNG)
    assert store.put(tmp_path / "x.bin", suffix="png", media_type="image/png").sha256 == SHA
    assert (tmp_path / "x.bin").read_bytes() == PNG
    with pytest.raises(FileUnreadable, match=r"Cannot read .*gone\.bin \(No such file"):
        store.put(tmp_path / "gone.bin", suffix="png", media_type="image/png")
    assert files(store.root) == [f"{SHA[:2]}/{SHA}.png"]


def test_damage_is_seen_and_the_same_bytes_repair_it(store: ArtifactStore) -> None:
    path = store.put(PNG, suffix="png", media_type="image/png").path
    assert store.verify(SHA)
    path.write_bytes(PNG.replace(b"not", b"NOT", 1))
    assert not store.verify(SHA)
    assert store.put(PNG, suffix="png", media_type="image/png").path == path
    assert store.verify(SHA)
    path.unlink()
    assert not store.verify(SHA)


@pytest.mark.parametrize("name", [SHA, "../../etc/passwd", "*", ""])
def test_a_file_that_is_not_there_is_named(store: ArtifactStore, name: str) -> None:
    with pytest.raises(ArtifactMissing, match="No artifact") as caught:
        store.path(name)
    assert repr(name) in str(caught.value)


def test_a_full_disk_loses_nothing_and_leaves_no_draft(tmp_path: Path) -> None:
    with small_disk(tmp_path) as disk:
        store = ArtifactStore(disk / "artifacts")
        kept = store.put(os.urandom(600_000), suffix="bin", media_type="application/octet-stream")
        with pytest.raises(DiskFull, match=f"disk of {store.root} is full") as caught:
            store.put(os.urandom(600_000), suffix="bin", media_type="application/octet-stream")
        assert caught.value.code == "disk_full"
        assert files(store.root) == [str(kept.path.relative_to(store.root))]
        assert store.verify(kept.sha256)
        assert store.put(PNG, suffix="png", media_type="image/png").sha256 == SHA


def test_a_file_over_the_size_limit_is_an_error_of_its_own(store: ArtifactStore) -> None:
    program = """
import resource, signal, sys
from pathlib import Path
from omnifex_jobs import ArtifactStore, JobsError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    ArtifactStore(Path(sys.argv[1])).put(bytes(200_000), suffix="bin", media_type="x/y")
except JobsError as error:
    print(error.code, error)
"""
    command = [sys.executable, "-c", program, str(store.root)]
    said = subprocess.check_output(command, text=True)
    assert said.startswith(f"file_too_large A file in {store.root} would be larger")
    assert files(store.root) == []


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnwritable, match=r"Cannot write to .*file/store \(File exists\)"):
        ArtifactStore(tmp_path / "file" / "store").put(PNG, suffix="png", media_type="image/png")


def test_drafts_of_killed_processes_are_swept_away(store: ArtifactStore) -> None:
    store.put(PNG, suffix="png", media_type="image/png")
    draft = store.root / "tmp" / "abandoned"
    draft.write_bytes(b"half a pic")
    assert store.sweep() == 0
    os.utime(draft, (time.time() - 90_000,) * 2)
    assert store.sweep() == 1
    assert files(store.root) == [f"{SHA[:2]}/{SHA}.png"]
