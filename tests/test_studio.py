"""The studio: what a request becomes, and how its making is watched."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PIL import Image
from studio_cases import TESTS, open_tiles

from omnifex.artifact import Unwritable
from omnifex.errors import (
    USER_ERRORS,
    JobCanceled,
    JobFailed,
)
from omnifex.home import UnsupportedHome
from omnifex.job import StillRunning
from omnifex.studio import Studio
from omnifex_jobs import State
from omnifex_jobs.errors import IdempotencyConflict, NotRetryable


@pytest.fixture
def studio() -> Iterator[Studio]:
    with open_tiles() as studio:
        yield studio


@pytest.fixture
def desk() -> Iterator[Studio]:
    """A studio that only submits and watches."""
    with open_tiles(workers=0) as studio:
        yield studio


def provenance(path: Path) -> dict[str, object]:
    with Image.open(path) as picture:
        found: dict[str, object] = json.loads(picture.text["omnifex"])  # type: ignore[attr-defined]
    return found


# From a request to a file


def test_a_request_becomes_a_file(studio: Studio, tmp_path: Path) -> None:
    job = studio.submit("tile", prompt="red", size=8, seed=7)
    (artifact,) = job.result(timeout=120)
    with Image.open(artifact.path) as picture:
        assert picture.size == (8, 8)
    assert artifact.media_type == "image/png"
    assert artifact.size == artifact.path.stat().st_size
    with artifact.open() as file:
        assert file.read() == artifact.read_bytes()
    assert artifact.save(tmp_path / "new" / "red.png").read_bytes() == artifact.read_bytes()
    assert artifact.save(tmp_path).name == "tile.png"
    assert job.status is State.SUCCEEDED
    assert job.progress.value == 1.0


def test_previews_are_artifacts_but_no_results(studio: Studio) -> None:
    job = studio.submit("tile", prompt="red")
    job.result(120)
    assert [(file.role, file.name) for file in job.artifacts] == [
        ("output", "tile.png"),
        ("preview", "tile-preview.txt"),
    ]


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(studio: Studio) -> None:
    jobs = [studio.submit("tile", prompt="red", seed=seed) for seed in (1, 1, 2)]
    first, second, third = (job.result(120)[0].sha256 for job in jobs)
    assert first == second != third


def test_a_seed_is_drawn_and_recorded_where_none_is_given(studio: Studio) -> None:
    job = studio.submit("tile", prompt="red")
    again = studio.submit("tile", prompt="red", seed=job.seed)
    assert job.result(120)[0].sha256 == again.result(120)[0].sha256


def test_the_file_says_how_it_was_made_and_nothing_that_changes(studio: Studio) -> None:
    job = studio.submit("tile", prompt="red", seed=3, size=8)
    said = provenance(job.result(120)[0].path)
    assert said["prompt"] == "red"
    assert said["seed"] == 3
    assert said["model"] == "tiles"
    assert said["modality"] == "tile"
    assert said["parameters"]["size"] == 8  # type: ignore[index]
    assert said["omnifex"]
    assert job.id not in json.dumps(said)


def test_the_recipe_names_all_that_decides_the_output(desk: Studio) -> None:
    recipe = desk.submit("tile", prompt="red", seed=3).record.recipe
    model = desk.models.show("tiles")
    assert recipe["components"] == {"backbone": model.components["backbone"].id}
    assert recipe["request"]["steps"] == 20
    assert recipe["plugins"] == {"tiles_plugin": ""}
    assert recipe["family"] == "tiles"


def test_the_metrics_say_where_the_time_went(studio: Studio) -> None:
    job = studio.submit("tile", prompt="red")
    job.result(120)
    times = {"queue_time", "load_time", "predict_time", "store_time", "total_time"}
    assert times <= job.metrics.keys()
    assert job.metrics["total_time"] >= job.metrics["predict_time"] > 0
    assert (
        job.created_at <= (job.started_at or job.created_at) <= (job.completed_at or job.created_at)
    )


def test_warnings_and_the_jobs_own_words_are_notes(studio: Studio) -> None:
    job = studio.submit("tile", prompt="a blorp", steps=3)
    job.result(120)
    assert job.notes == ("the word 'blorp' is not known.", "3 steps")


def test_a_place_that_cannot_be_written_is_told(studio: Studio, tmp_path: Path) -> None:
    (artifact,) = studio.submit("tile", prompt="red").result(120)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(Unwritable, match=r"cannot write .*choose another place"):
        artifact.save(tmp_path / "file" / "red.png")
    assert [path.name for path in tmp_path.iterdir() if path.name != "home"] == ["file"]
    assert "tile.png image/png" in repr(artifact)


# Watching


def test_events_come_in_order_and_can_be_taken_up_again(studio: Studio) -> None:
    job = studio.submit("tile", prompt="red")
    events = list(job.events())
    kinds = [event.kind for event in events]
    assert kinds[0] == "queued"
    assert kinds[-1] == "succeeded"
    assert list(job.events(after=events[2].seq)) == events[3:]
    assert [event for event in studio.events() if event.job_id == job.id] == events


def test_progress_never_goes_down(studio: Studio) -> None:
    job = studio.submit("tile", prompt="red", steps=50, pace=0.02)
    values = [event.payload["value"] for event in job.events() if event.kind == "progress"]
    assert len(values) > 2
    assert values == sorted(values)


def test_waiting_ends_with_its_time_but_the_job_does_not(desk: Studio) -> None:
    job = desk.submit("tile", prompt="red")
    with pytest.raises(StillRunning, match="no worker serves this home, start `omnifex worker"):
        job.result(timeout=0.1)
    with pytest.raises(TimeoutError):
        job.result(timeout=0)
    assert job.status is State.QUEUED


def test_a_failed_job_says_why_to_who_awaits_it(studio: Studio) -> None:
    job = studio.submit("tile", prompt="break the family")
    with pytest.raises(JobFailed, match="the family is broken"):
        job.result(120)
    assert job.error is not None
    assert job.error.code == "generation_failed"
    assert not job.error.retryable


def test_a_canceled_job_says_so_and_can_be_run_again(desk: Studio) -> None:
    job = desk.submit("tile", prompt="red")
    assert job.cancel("changed my mind") is State.CANCELED
    with pytest.raises(JobCanceled, match="changed my mind"):
        job.result()
    desk.serve(["cpu"])
    assert job.retry().result(120)
    with pytest.raises(NotRetryable):
        job.retry()


# When it runs


def test_the_same_idempotency_key_gives_the_same_job(desk: Studio) -> None:
    first = desk.submit("tile", prompt="a blorp", idempotency_key="order 66")
    second = desk.submit("tile", prompt="a blorp", idempotency_key="order 66")
    assert first == second
    assert [event.kind for event in desk.events()].count("note") == 1
    with pytest.raises(IdempotencyConflict):
        desk.submit("tile", prompt="something else", idempotency_key="order 66")


def test_a_job_may_wait_for_its_time(desk: Studio) -> None:
    later = (
        desk.submit("tile", prompt="red", delay=timedelta(hours=1)),
        desk.submit("tile", prompt="red", delay=3600),
        desk.submit("tile", prompt="red", run_at=datetime.now(UTC) + timedelta(hours=1)),
    )
    assert {job.status for job in later} == {State.SCHEDULED}
    soon = desk.submit("tile", prompt="red", delay=0.2)
    desk.serve(["cpu"])
    assert soon.result(120)


# The home


def test_the_home_is_the_folder_given_or_that_of_the_environment(
    tmp_path: Path, omnifex_home: Path
) -> None:
    with open_tiles(workers=0) as studio:
        assert studio.home == omnifex_home
    with open_tiles(tmp_path / "other", workers=0) as studio:
        assert (studio.home / "omnifex.db").is_file()


def test_an_address_is_no_home() -> None:
    with pytest.raises(UnsupportedHome, match="'http://gpu:8000' is an address; give a folder"):
        Studio("http://gpu:8000")
    with pytest.raises(UnsupportedHome):
        Studio(Path("http://gpu:8000"))


def test_a_file_is_no_home(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(USER_ERRORS, match="cannot be used"):
        open_tiles(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_job_outlives_the_studio_that_took_it(omnifex_home: Path) -> None:
    with open_tiles(workers=0) as studio:
        job = studio.submit("tile", prompt="red")
    with open_tiles() as studio:
        assert studio.job(job.id).result(120)
    assert job.artifacts[0].path.is_file()


def test_submitting_needs_no_torch(omnifex_home: Path) -> None:
    code = (
        "import sys; from studio_cases import open_tiles\n"
        "with open_tiles(workers=0) as studio:\n"
        "    studio.submit('tile', prompt='red').notes, studio.models.list()\n"
        "assert 'torch' not in sys.modules and 'diffusers' not in sys.modules"
    )
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert done.stderr == b""
    assert done.returncode == 0
