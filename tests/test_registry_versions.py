"""Names that are resolved when a job is submitted, and contents that jobs keep."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from studio_cases import copy_model, open_tiles

from omnifex.studio import Studio
from omnifex.submission import ModelChanged
from omnifex.worker.preparation import prepare
from omnifex_registry import NameTaken


@pytest.fixture
def desk() -> Iterator[Studio]:
    """A studio that only submits and watches."""
    with open_tiles(workers=0) as studio:
        yield studio


def test_an_alias_is_resolved_when_a_job_is_submitted(desk: Studio, tmp_path: Path) -> None:
    desk.models.add(copy_model(tmp_path / "mine"))
    desk.models.alias("best", "mine")
    job = desk.submit("tile", prompt="red", model="best")
    desk.models.alias("best", "tiles")
    later = desk.submit("tile", prompt="red", model="best")
    assert [job.record.model, later.record.model] == ["mine", "tiles"]
    assert prepare(job.home, job.record).model.name == "mine"


def test_a_job_keeps_the_version_that_it_was_submitted_for(desk: Studio, tmp_path: Path) -> None:
    old = desk.models.add(copy_model(tmp_path / "one"), name="mine")
    before = desk.submit("tile", prompt="red", model="mine")
    other = copy_model(tmp_path / "two", another=True)
    with pytest.raises(NameTaken):
        desk.models.add(other, name="mine")
    new = desk.models.add(other, name="mine", update=True)
    after = desk.submit("tile", prompt="red", model="mine")
    prepared = [prepare(before.home, job.record).model for job in (before, after)]
    assert [model.version for model in prepared] == [old.version, new.version]
    assert desk.models.show(f"mine@{old.version}").components == old.components
    desk.models.remove("mine")
    assert prepare(before.home, before.record).model.version == old.version
    desk.models.remove(f"mine@{old.version}")
    with pytest.raises(Exception, match="no model 'mine'"):
        prepare(before.home, before.record)


def test_a_job_whose_version_is_gone_says_so(desk: Studio, tmp_path: Path) -> None:
    old = desk.models.add(copy_model(tmp_path / "one"), name="mine")
    job = desk.submit("tile", prompt="red", model="mine")
    desk.models.add(copy_model(tmp_path / "two", another=True), name="mine", update=True)
    desk.models.remove(f"mine@{old.version}")
    with pytest.raises(ModelChanged):
        prepare(job.home, job.record)
