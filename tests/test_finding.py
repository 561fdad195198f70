"""Finding jobs again, page by page, and handing them to other programs."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet
from studio_cases import open_tiles

from omnifex.errors import InvalidRequest
from omnifex.studio import Studio
from omnifex_jobs.errors import JobNotFound, UnknownState


@pytest.fixture
def desk() -> Iterator[Studio]:
    with open_tiles(workers=0, owner="ann") as studio:
        for number in range(7):
            prompt = f"{'red' if number % 2 else 'blue'} tile {number}"
            studio.submit("tile", prompt=prompt, tags=["odd"] if number % 2 else [], seed=number)
        yield studio


def prompts(studio: Studio, **wanted: Any) -> list[str]:
    return [job.request["prompt"][-1] for job in studio.jobs(**wanted)]


def test_pages_follow_each_other(desk: Studio) -> None:
    for text in (None, "tile"):
        seen, before = [], None
        while True:
            page = desk.jobs(limit=3, before=before, text=text)
            seen += [record.recipe["request"]["seed"] for record in page.records]
            before = page.next
            if before is None:
                break
        assert seen == [6, 5, 4, 3, 2, 1, 0]
    with pytest.raises(JobNotFound):
        desk.jobs(before="nowhere")


def test_filters_are_combined(desk: Studio) -> None:
    assert prompts(desk, tag="odd") == prompts(desk, text="red") == ["5", "3", "1"]
    assert prompts(desk, tags=["odd"], text="tile 3") == ["3"]
    assert prompts(desk, owner="bob") == prompts(desk, tags=["odd", "x"]) == []
    assert len(prompts(desk, owner="ann", status="queued", modality="tile", model="tiles")) == 7
    assert len(prompts(desk, since="1h")) == len(prompts(desk, until=datetime.now(UTC))) == 7
    assert prompts(desk, until="1h") == prompts(desk, since=datetime.now(UTC)) == []
    assert prompts(desk, since=timedelta(days=400), until="2020-01-01") == []


@pytest.mark.parametrize(
    ("wanted", "complaint"),
    [
        ({"colour": "red"}, r"cannot be found by 'colour'.*filters: status"),
        ({"since": "yesterday"}, r"since is 'yesterday', but must be a time such as"),
        ({"tags": [7]}, "tag 7 must be text"),
    ],
)
def test_a_faulty_filter_is_named(desk: Studio, wanted: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InvalidRequest, match=complaint):
        desk.jobs(**wanted)
    with pytest.raises(UnknownState):
        desk.jobs(status="done")


def test_jobs_are_exported_as_lines_and_as_parquet(desk: Studio, tmp_path: Path) -> None:
    assert desk.export(tmp_path / "jobs.jsonl", tag="odd") == 3
    lines = [json.loads(line) for line in (tmp_path / "jobs.jsonl").read_text().splitlines()]
    assert [line["seed"] for line in lines] == [5, 3, 1]
    assert (lines[0]["tags"], lines[0]["owner"]) == (["odd"], "ann")
    assert desk.export(tmp_path / "jobs.parquet") == 7
    table = parquet.read_table(tmp_path / "jobs.parquet").to_pylist()
    assert [row["seed"] for row in table] == [6, 5, 4, 3, 2, 1, 0]
    assert json.loads(table[0]["request"])["prompt"] == "blue tile 6"
    assert desk.export(tmp_path / "none.parquet", tag="x") == 0
    assert parquet.read_table(tmp_path / "none.parquet").num_rows == 0
    with pytest.raises(InvalidRequest, match=r"'jobs.csv' is no kind of table"):
        desk.export(tmp_path / "jobs.csv")
    assert len(list(tmp_path.glob("*.csv*"))) == 0
