"""Finding jobs again, repeating them, and checking what they made."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from studio_cases import copy_model, open_tiles

from omnifex.studio import Studio
from omnifex.submission import ModelChanged
from omnifex_jobs import State
from omnifex_jobs.errors import JobNotFound


@pytest.fixture
def studio() -> Iterator[Studio]:
    with open_tiles() as studio:
        yield studio


@pytest.fixture
def desk() -> Iterator[Studio]:
    """A studio that only submits and watches."""
    with open_tiles(workers=0) as studio:
        yield studio


def test_jobs_are_found_by_what_they_are(desk: Studio) -> None:
    red, blue = (desk.submit("tile", prompt=prompt) for prompt in ("a red one", "a blue one"))
    red.cancel()
    assert desk.jobs() == [blue, red]
    assert desk.jobs(status="canceled") == [red]
    assert desk.jobs(text="BLUE", modality="tile", model="tiles") == [blue]
    assert desk.jobs(limit=1, before=blue.id) == [red]
    assert desk.counts()[State.CANCELED] == 1
    assert desk.job(red.id) == red
    assert {red, desk.job(red.id)} == {red}
    assert "canceled" in repr(red)
    with pytest.raises(JobNotFound):
        desk.job("nope")


def test_a_replay_makes_the_same_bytes(studio: Studio) -> None:
    job = studio.submit("tile", prompt="red", metadata={"for": "mother"}, priority=3)
    job.result(120)
    again = studio.replay(job.id)
    assert again.result(120)[0].sha256 == job.artifacts[0].sha256
    assert again.id != job.id
    assert again.record.recipe_hash == job.record.recipe_hash
    assert again.metadata == {"for": "mother"}


def test_a_replay_with_an_input_needs_only_the_store(studio: Studio, tmp_path: Path) -> None:
    path = tmp_path / "in.png"
    Image.new("RGB", (4, 4), "red").save(path)
    job = studio.submit("tile", prompt="red", image=path)
    job.result(120)
    path.unlink()
    assert studio.replay(job.id).result(120)[0].sha256 == job.artifacts[0].sha256


def test_a_changed_model_is_not_replayed_as_if_it_were_the_old_one(
    desk: Studio, tmp_path: Path
) -> None:
    folder = copy_model(tmp_path / "mine")
    desk.models.add(folder)
    job = desk.submit("tile", prompt="red", model="mine")
    (folder / "backbone" / "config.json").write_text('{"new": 1}')
    desk.models.add(folder)
    with pytest.raises(ModelChanged, match=r"'mine' has changed .*backbone"):
        desk.replay(job.id)
    assert desk.verify(job.id).obstacles


def test_a_model_that_was_changed_in_place_is_told(desk: Studio, tmp_path: Path) -> None:
    folder = copy_model(tmp_path / "mine")
    desk.models.add(folder)
    job = desk.submit("tile", prompt="red", model="mine")
    assert desk.verify(job.id).ok
    (folder / "backbone" / "config.json").write_text('{"new": 1}')
    found = desk.verify(job.id)
    assert not found.ok
    assert found.damaged[0].startswith("the backbone of model mine: the files in ")
    assert desk.verify(job.id, models=False).ok


def test_an_intact_job_is_verified(studio: Studio) -> None:
    job = studio.submit("tile", prompt="red")
    job.result(120)
    found = studio.verify(job.id)
    assert found.ok
    assert (found.checked, found.components) == (2, 1)
    assert not found.obstacles


def test_a_file_that_was_changed_or_taken_away_is_told(studio: Studio) -> None:
    job = studio.submit("tile", prompt="red")
    (artifact,) = job.result(120)
    preview = job.artifacts[1]
    with artifact.path.open("ab") as file:
        file.write(b"!")
    preview.path.unlink()
    found = studio.verify(job.id)
    assert not found.ok
    assert [fault.split(" ")[1:3] for fault in found.damaged] == [
        ["output", "tile.png"],
        ["preview", "tile-preview.txt"],
    ]
    assert not artifact.verify()
