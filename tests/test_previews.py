"""Looks at unfinished work: what they cost, what they leave alone, where they are kept."""

import base64
import io
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dots_plugin
import numpy as np
import pytest
import torch
from dots_plugin import DotsFamily
from engine_cases import dots
from jobs_cases import kinds, open_queue, submit
from PIL import Image
from studio_cases import open_tiles, until

from omnifex.engine.context import Listener
from omnifex.engine.watching import previews
from omnifex.engine.watching.previews import Previews
from omnifex.engine.watching.record import CallRecord
from omnifex.engine.watching.sums import CallSums
from omnifex.workbench import Workbench
from omnifex.worker.pictures import MOST_BYTES, MOST_PIXELS, small_picture
from omnifex.worker.reporter import Reporter
from omnifex_audio.prism import PrismAudio
from omnifex_image.prism import PrismImage
from omnifex_jobs import JobQueue, Progress
from omnifex_mesh.prism import PrismMesh
from omnifex_video.prism import PrismVideo

GREY = np.full((8, 8, 3), 128, np.uint8)


class Eye(Listener):
    """Wants previews, and keeps them with the methods of the calls."""

    wants_previews = True

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.methods: list[str] = []

    def preview(self, pixels: Any) -> None:
        self.seen.append(pixels)

    def called(self, record: CallRecord) -> None:
        self.methods.append(record.method)


class Shown(DotsFamily):
    """Dots whose previews are what a function makes of the decoded latents."""

    def __init__(self, draw: Callable[[Any], Any]) -> None:
        self.draw = draw

    def preview(self, job: Any, latents: Any, request: Any, model: Any) -> Any:
        job.randn((4,))  # a plugin that draws, which must not show in the result
        return self.draw(model["backbone"].decode(latents))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    with Workbench(tmp_path, [dots_plugin], entry_points=False) as workbench:
        yield workbench


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """A preview at every step."""
    monkeypatch.setattr(previews, "FIRST_S", 0.0)
    monkeypatch.setattr(previews, "UNKNOWN_S", 0.0)
    monkeypatch.setattr(previews, "SHARE", 1e6)


# In the engine


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("sampler", ["euler", "heun", "dpm-solver++"])
def test_a_preview_shows_where_the_steps_lead(bench: Workbench, sampler: str) -> None:
    eye = Eye()
    family = Shown(lambda decoded: decoded.clone())
    made = bench.engine.run(
        replace(dots(bench, steps=6, sampler=sampler, guidance=1), family=family), eye
    )
    (file,) = made.files
    final = torch.tensor(json.loads(file.data)["dots"])
    assert len(eye.seen) == 5  # none after the last step
    for seen in eye.seen:  # the toy's velocity is exact, so that each estimate is the end
        assert torch.allclose(seen[0], final, atol=1e-4)


@pytest.mark.usefixtures("always")
def test_previews_leave_the_result_as_it_is(bench: Workbench) -> None:
    family = Shown(lambda decoded: GREY)
    eye = Eye()
    without = bench.engine.run(replace(dots(bench, steps=6), family=family))
    having = bench.engine.run(replace(dots(bench, steps=6), family=family), eye)
    assert len(eye.seen) == 5
    assert having.files == without.files


@pytest.mark.usefixtures("always")
def test_nobody_is_shown_what_nobody_wants(bench: Workbench) -> None:
    eye = Eye()
    eye.wants_previews = False
    bench.engine.run(replace(dots(bench), family=Shown(lambda decoded: GREY)), eye)
    assert eye.seen == []
    assert eye.methods.count("decode") == 1


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("draw", [lambda decoded: None, lambda decoded: 1 / 0])
def test_one_that_fails_or_shows_nothing_is_the_last(
    bench: Workbench, draw: Callable[[Any], Any]
) -> None:
    eye = Eye()
    assert bench.engine.run(replace(dots(bench), family=Shown(draw)), eye).files
    assert eye.seen == []
    assert eye.methods.count("decode") == 2  # of one preview, and of the end


def test_short_jobs_show_nothing(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(previews, "FIRST_S", 1e6)
    monkeypatch.setattr(previews, "UNKNOWN_S", 0.0)
    eye = Eye()
    bench.engine.run(replace(dots(bench), family=Shown(lambda decoded: GREY)), eye)
    assert eye.seen == []


def test_previews_take_a_small_share_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(previews, "FIRST_S", 0.0)
    costs = {"dots": 0.002}
    ours, sums = Previews(costs), CallSums()
    began, drawn = time.monotonic(), 0

    def draw() -> Any:
        time.sleep(0.002)
        return GREY

    while time.monotonic() < began + 0.5:
        if ours.due("dots"):
            ours.taken("dots", draw, sums)
            drawn += 1
    assert drawn >= 1
    before_the_last = ours.spent - costs["dots"]
    assert before_the_last <= previews.SHARE * (time.monotonic() - began)


def test_one_of_unknown_cost_waits_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(previews, "FIRST_S", 0.0)
    assert Previews({"dots": 0.0}).due("dots")
    assert not Previews({}).due("dots")


def test_the_wait_for_the_device_is_not_the_previews_cost() -> None:
    costs: dict[str, float] = {}
    ours, sums = Previews(costs), CallSums()

    def draw() -> Any:
        sums.waited += 1000
        return GREY

    ours.taken("dots", draw, sums)
    assert costs == {"dots": 0.0}


# Of the built-in modalities


def test_each_modality_draws_a_picture() -> None:
    latents = torch.randn(1, 4, 6, 3, 3)
    assert PrismVideo().part(latents).shape == (1, 4, 1, 3, 3)
    samples = {
        PrismImage(): torch.randn(1, 3, 32, 48),
        PrismVideo(): torch.randn(1, 3, 4, 32, 48),
        PrismAudio(): torch.randn(1, 1, 32, 48),
        PrismMesh(): torch.randn(1, 4, 6, 8, 12),
    }
    for family, sample in samples.items():
        pixels = family.look(sample)
        assert pixels.shape == (32, 48, 3)
        assert pixels.dtype == np.uint8


def test_a_field_is_seen_from_the_front() -> None:
    field = torch.ones(1, 4, 4, 4, 4)  # (distance, red, green, blue), z, y, x
    field[0, 0, 3, 0, 0] = field[0, 0, 0, 0, 0] = -1  # near the eye and far from it, at the left
    field[0, 1:, 3, 0, 0] = torch.tensor([1, -1, -1])  # the near one is red
    pixels = PrismMesh().look(field)
    assert pixels[-1, 0].tolist() == [255, 0, 0]  # y goes up
    assert len(np.unique(pixels[:-4].reshape(-1, 3), axis=0)) == 1


# In the database


@pytest.fixture
def queue(tmp_path: Path) -> JobQueue:
    return open_queue(tmp_path / "jobs.db")


@pytest.fixture
def reporter(queue: JobQueue) -> Reporter:
    submit(queue)
    return Reporter(queue, queue.claim("worker")[0])


def shown(queue: JobQueue) -> list[Any]:
    return [event.payload for event in queue.events() if event.kind == "preview"]


def test_a_preview_is_an_event_that_the_next_one_replaces(
    queue: JobQueue, reporter: Reporter
) -> None:
    for step in (1, 2):
        reporter.progress(Progress(0.1 * step, "sampling", step, 9))
        reporter.preview(GREY)
        assert reporter.flush()
    (payload,) = shown(queue)
    assert (payload["step"], payload["steps"], payload["media_type"]) == (2, 9, "image/webp")
    with Image.open(io.BytesIO(base64.b64decode(payload["data"]))) as picture:
        assert picture.size == (8, 8) == (payload["width"], payload["height"])


def test_previews_are_gone_when_the_job_ends(queue: JobQueue, reporter: Reporter) -> None:
    reporter.preview(GREY)
    reporter.flush()
    reporter.preview(GREY)
    reporter.flush(ended=True)  # too late to be of use
    assert kinds(queue).count("preview") == 1
    queue.succeed(reporter._claim)
    assert shown(queue) == []


def test_a_picture_of_noise_still_fits() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (700, 900, 3), np.uint8)
    payload = small_picture(noise)
    assert len(base64.b64decode(payload["data"])) <= MOST_BYTES
    assert max(payload["width"], payload["height"]) <= MOST_PIXELS


def test_what_is_no_picture_costs_no_job(queue: JobQueue, reporter: Reporter) -> None:
    reporter.preview("three dots")
    assert not reporter.flush()
    assert shown(queue) == []


@pytest.mark.usefixtures("always")
def test_a_user_sees_what_a_running_job_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("omnifex.worker.run.FLUSH_S", 0.01)  # the job takes no longer than one
    with open_tiles(tmp_path) as studio:
        job = studio.submit("tile", prompt="red", steps=1000, size=16, sampler="heun")
        until(lambda: job.preview or job.done)
        seen = job.preview
        job.cancel()
    assert seen is not None
    with Image.open(io.BytesIO(seen)) as picture:
        assert picture.size == (16, 16)
    assert job.preview is None
