"""Artifacts in a bucket: put there before a job ends, and brought from there where needed."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from bucket_server import Bucket, bucket_server
from studio_cases import open_tiles, until

from omnifex.home import files_of, places
from omnifex.worker.cluster import opener
from omnifex_jobs import State
from omnifex_jobs.errors import ArtifactMissing, StoreAway, StoreUnsupported
from omnifex_jobs.files.buckets import BucketStore

DATA = b"a picture, nearly"
SHA = hashlib.sha256(DATA).hexdigest()
PLACE = "s3://pictures/of/all"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    with bucket_server() as bucket:
        for name, value in bucket.environment.items():
            monkeypatch.setenv(name, value)
        yield bucket


def put(store: BucketStore) -> Path:
    return store.put(DATA, suffix="png", media_type="image/png").path


def test_what_one_machine_puts_another_has(bucket: Bucket, tmp_path: Path) -> None:
    assert put(BucketStore(PLACE, tmp_path / "here")).read_bytes() == DATA
    assert bucket.objects == {f"of/all/{SHA[:2]}/{SHA}/{SHA}.png": DATA}
    other = BucketStore(PLACE, tmp_path / "there")
    assert other.path(SHA) == tmp_path / "there" / SHA[:2] / f"{SHA}.png"
    with other.open(SHA) as file:
        assert file.read() == DATA
    assert other.verify(SHA)
    assert not list((tmp_path / "there" / "tmp").iterdir())


def test_damage_is_seen_on_both_sides(bucket: Bucket, tmp_path: Path) -> None:
    store = BucketStore(PLACE, tmp_path)
    put(store).write_bytes(b"other bytes")
    assert not store.verify(SHA)
    assert store.verify(SHA)  # the damaged copy has gone
    (name,) = bucket.objects
    bucket.objects[name] = b"other bytes"
    assert not store.verify(SHA)
    shutil.rmtree(tmp_path / SHA[:2])
    with pytest.raises(ArtifactMissing, match="No artifact"):
        store.path(SHA)
    bucket.objects.clear()
    with pytest.raises(ArtifactMissing, match="in s3://pictures/of/all"):
        store.path(SHA)


def test_a_bucket_that_refuses_is_named(bucket: Bucket, tmp_path: Path) -> None:
    store = BucketStore(PLACE, tmp_path)
    bucket.away = True
    with pytest.raises(StoreAway, match="s3://pictures/of/all cannot be reached") as caught:
        put(store)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)
    bucket.away = False
    assert put(store)


def test_a_job_waits_for_its_bucket_and_ends_there(bucket: Bucket) -> None:
    bucket.away = True
    with open_tiles(artifacts=PLACE) as studio:
        job = studio.submit("tile", prompt="red")
        until(lambda: job.status is State.SCHEDULED)
        error = job.record.error
        assert error is not None
        assert (error.code, error.retryable) == ("store_away", True)
        bucket.away = False
        (made,) = job.result(60)
        assert made.verify()
        shutil.rmtree(studio.home / "artifacts")  # as another machine has it
        child = studio.submit("tile", prompt="blue", image=job)
        assert child.result(60)
        assert any(name.endswith(f"{made.sha256}.png") for name in bucket.objects)


@pytest.mark.parametrize("place", ["sftp://host/files", "memory://files", "file:///files"])
def test_what_writes_no_file_whole_or_not_at_all_is_refused(place: str) -> None:
    with pytest.raises(StoreUnsupported, match="does not write a file whole or not at all; give a"):
        open_tiles(artifacts=place, workers=0)


def test_a_server_with_a_bucket_has_a_folder_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = "postgresql+psycopg://here/jobs"
    monkeypatch.setenv("OMNIFEX_CACHE", str(tmp_path))
    monkeypatch.setenv("OMNIFEX_ARTIFACTS", PLACE)
    folder, address = places(server)
    assert (folder.parent, address) == (tmp_path, server)
    assert places(server, f"{PLACE}/other")[0] != folder
    assert files_of("somewhere", None) == ""
    assert opener(server).keywords == {"artifacts": PLACE}  # type: ignore[attr-defined]
