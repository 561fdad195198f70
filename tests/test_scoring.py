"""Several candidates of one job, scored, and the best of them kept."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiles_plugin
import tiny_language
import torch
import transformers
from engine_cases import Heard
from family_models import save
from PIL import Image
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

import omnifex
from omnifex import InvalidRequest, PluginHost, Studio
from omnifex.cli.app import app
from omnifex.engine.durability.recording import JobJournal
from omnifex.engine.engine import Outcome
from omnifex.errors import GenerationFailed, PluginError
from omnifex.modality import File
from omnifex.scoring import Scorer
from omnifex.workbench import Workbench
from omnifex_audio.files import decode, resampled
from omnifex_image.scorers import Colourfulness, Sharpness
from omnifex_jobs.files.journal import Journals
from omnifex_mesh.scorers import MeshAgreement
from omnifex_registry import BadModelFolder
from omnifex_registry.adding import Wanted, add
from omnifex_registry.errors import UnknownBase
from omnifex_video.scorers import FRAMES, VideoAgreement

TILE = {"prompt": "red", "seed": 7, "steps": 2, "size": 8}


class Brightness(Scorer[Any]):
    name, modality = "brightness", "tile"
    answer: Callable[[Any], float] = staticmethod(lambda media: media.mean())

    def score(self, job: Any, media: Any, request: Any, model: Any) -> float:
        return type(self).answer(media)


class Scorers:
    """A plugin of one scorer."""

    @omnifex.hookimpl
    def register_scorers(self) -> list[Scorer[Any]]:
        return [Brightness()]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    place = tmp_path_factory.mktemp("bench")
    with Workbench(place, [tiles_plugin, Scorers()]) as bench:
        yield bench


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_language.save("clip", tmp_path_factory.mktemp("models") / "clip")


def picture(file: File) -> np.ndarray:
    with Image.open(io.BytesIO(file.data)) as opened:
        return np.array(opened)


def pictures(outcome: Outcome) -> list[File]:
    return [file for file in outcome.files if file.role == "output"]


def alone(bench: Workbench, seed: int) -> np.ndarray:
    return picture(bench.make("tile", **{**TILE, "seed": seed}).files[0])


def test_the_best_of_several_come_first_and_the_others_are_dropped(bench: Workbench) -> None:
    kept = pictures(bench.make("tile", **TILE, best_of=4, scorer="brightness", keep=2))
    ranked = sorted(range(7, 11), key=lambda seed: -alone(bench, seed).mean())
    assert [file.meta["seed"] for file in kept] == ranked[:2]
    for file in kept:
        assert np.array_equal(picture(file), alone(bench, file.meta["seed"]))
        assert file.meta["score"] == picture(file).mean()
        scores = {one["seed"]: one["score"] for one in file.meta["scores"]}
        assert scores == {seed: alone(bench, seed).mean() for seed in range(7, 11)}


def test_one_is_kept_where_nothing_else_is_asked_and_of_equals_the_first(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Brightness, "answer", staticmethod(lambda media: 1.0))
    heard = Heard()
    asked = bench.assignment("tile", **TILE, best_of=3, scorer="brightness")
    (file,) = pictures(bench.engine.run(asked, heard))
    assert (file.meta["seed"], file.meta["score"]) == (7, 1.0)
    assert "best of 3 by brightness: seed 7 1, seed 8 1, seed 9 1." in heard.notes
    values = [progress.value for progress in heard.progresses]
    assert values == sorted(values)
    stages = list(dict.fromkeys(progress.stage for progress in heard.progresses))
    assert stages[:4] == ["conditioning 1/3", "sampling 1/3", "decoding 1/3", "scoring 1/3"]
    assert stages[-2:] == ["scoring 3/3", "encoding"]


def test_one_candidate_is_scored_too(bench: Workbench) -> None:
    (file,) = pictures(bench.make("tile", **TILE, scorer="brightness"))
    assert file.meta["scores"] == [{"seed": 7, "score": file.meta["score"]}]


def test_seeds_of_candidates_stay_in_their_range() -> None:
    from omnifex.request import MAX_SEED
    from omnifex.scoring import seed_of

    assert [seed_of(MAX_SEED, index) for index in range(3)] == [MAX_SEED, 0, 1]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"best_of": 2}, "best_of is 2, but no scorer says which is best; name one."),
        ({"best_of": 2, "keep": 3, "scorer": "brightness"}, "keep is 3, but best_of makes 2; keep"),
        ({"keep": 2}, "keep is 2, but best_of makes 1; keep"),
        (
            {"scorer": "brightnes"},
            "no scorer 'brightnes', did you mean 'brightness'; scorers: brightness.",
        ),
        (
            {"scorer": "tiles"},
            "scorer 'tiles' is a TilesPipeline, which scores no tile; ",
        ),
        ({"best_of": 65, "scorer": "brightness"}, "best_of is 65, but must be a whole number from"),
    ],
)
def test_what_makes_no_sense_is_refused(
    bench: Workbench, fields: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InvalidRequest, match=sentence):
        bench.assignment("tile", **TILE, **fields)


def test_scorers_of_other_modalities_are_not_offered(bench: Workbench) -> None:
    expected = "scorers: colourfulness, sharpness, and models of these kinds: CLIP, aesthetic"
    with pytest.raises(InvalidRequest, match=f"no scorer 'brightness'; {expected}"):
        bench.assignment("image", prompt="a red circle", scorer="brightness")


def test_a_scorer_that_fails_is_named(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Brightness, "answer", staticmethod(lambda media: float("nan")))
    with pytest.raises(PluginError, match="scorer 'brightness' gave nan, which is no score"):
        bench.make("tile", **TILE, best_of=2, scorer="brightness")
    monkeypatch.setattr(Brightness, "answer", staticmethod(lambda media: media["mean"]))
    with pytest.raises(GenerationFailed, match="scorer 'brightness' failed: IndexError: only"):
        bench.make("tile", **TILE, best_of=2, scorer="brightness")


def test_a_plugin_whose_scorer_says_too_little_is_set_aside() -> None:
    class Nameless(Scorer[Any]):
        def score(self, job: Any, media: Any, request: Any, model: Any) -> float:
            return 0.0

    class Plugin:
        @omnifex.hookimpl
        def register_scorers(self) -> list[Scorer[Any]]:
            return [Nameless()]

    host = PluginHost([Plugin()], entry_points=False)
    assert [problem.message for problem in host.problems] == [
        "PluginError: Nameless lacks name, modality"
    ]


def test_candidates_that_were_made_are_given_again_after_a_crash(
    bench: Workbench, tmp_path: Path
) -> None:
    asked = bench.assignment("tile", **TILE, best_of=3, scorer="brightness")

    def run() -> Outcome:
        with closing(Journals(tmp_path).open("JOB", {"recipe": "1"}, lambda: True)) as journal:
            return bench.engine.run(replace(asked, journal=JobJournal(journal, short_s=0)), Heard())

    first, again = run(), run()
    assert again.files == first.files
    assert again.metrics["calls_replayed"] == first.metrics["component_calls"]


# The scorers that come along


def test_clip_scores_by_the_cosine_of_prompt_and_picture(
    bench: Workbench, clip: Path, tmp_path: Path
) -> None:
    bench.add(clip, "clip-tiny")
    bench.add(save("sd", tmp_path / "sd"), "sd")
    asked = {"prompt": "a small red cube", "seed": 3, "steps": 2, "width": 24, "height": 16}
    assignment = bench.assignment("image", "sd", **asked, best_of=3, scorer="clip-tiny", keep=3)
    kept = bench.engine.run(assignment).files
    model = transformers.CLIPModel.from_pretrained(clip)
    words = transformers.CLIPTokenizer.from_pretrained(clip)(asked["prompt"], return_tensors="pt")
    processor = transformers.CLIPImageProcessor.from_pretrained(clip)
    for file in kept:
        shown = processor(Image.fromarray(picture(file)), return_tensors="pt")
        with torch.inference_mode():
            output = model(**words, **shown)
        cosine = float(output.text_embeds @ output.image_embeds.T)
        assert file.meta["score"] == pytest.approx(cosine, abs=1e-5)
    assert kept[0].meta["score"] > kept[2].meta["score"]


def test_clap_scores_by_the_cosine_of_prompt_and_sound(bench: Workbench, tmp_path: Path) -> None:
    folder = tiny_language.save("clap", tmp_path / "clap")
    bench.add(folder, "clap-tiny")
    asked = {"prompt": "a sine tone at A4", "seed": 3, "steps": 1, "scorer": "clap-tiny"}
    (made,) = bench.make("audio", **asked).files
    sound = decode(made.data)
    mono = resampled(sound.samples.mean(0, keepdims=True), sound.sample_rate, 8000)[0]
    assert len(mono) > 8000  # more than it hears at once
    model = transformers.ClapModel.from_pretrained(folder)
    words = transformers.AutoTokenizer.from_pretrained(folder)(asked["prompt"], return_tensors="pt")
    extractor = transformers.ClapFeatureExtractor.from_pretrained(folder)
    with torch.inference_mode():
        text = model.get_text_features(**words).pooler_output
        cosines = []
        for at in range(0, len(mono), 8000):
            piece = extractor(mono[at : at + 8000], sampling_rate=8000, return_tensors="pt")
            cosines.append(float(text @ model.get_audio_features(**piece).pooler_output.T))
    assert made.meta["score"] == pytest.approx(np.mean(cosines), abs=1e-3)  # 16 bits in the file


def head(path: Path, names: str, *widths: int) -> Path:
    """Random linear layers, named as people save them."""
    draw = torch.Generator().manual_seed(4)
    save_file(
        {
            f"{names.format(2 * number)}{part}": torch.randn(shape, generator=draw)
            for number, (inner, outer) in enumerate(pairwise(widths))
            for part, shape in (("weight", (outer, inner)), ("bias", (outer,)))
        },
        path,
    )
    return path


@pytest.mark.parametrize(("names", "widths"), [("", (16, 1)), ("layers.{}.", (16, 8, 4, 1))])
def test_a_head_over_clip_scores_how_pictures_are_liked(
    bench: Workbench, clip: Path, tmp_path: Path, names: str, widths: tuple[int, ...]
) -> None:
    bench.add(clip, "clip-tiny")
    file = head(tmp_path / "liked.safetensors", names, *widths)
    model = bench.add(file, f"liked-{len(widths)}")
    assert model.class_name == "AestheticPredictor"
    assert model.components["encoder"].id == bench.model("clip-tiny").components["encoder"].id
    asked = {"prompt": "a large red star", "seed": 3, "steps": 1, "scorer": model.name}
    (made,) = bench.make("image", **asked).files
    whole = transformers.CLIPModel.from_pretrained(clip)
    shown = transformers.CLIPImageProcessor.from_pretrained(clip)(
        Image.fromarray(picture(made)), return_tensors="pt"
    )
    held = load_file(file)
    with torch.inference_mode():
        seen = whole.get_image_features(**shown).pooler_output
        value = seen / seen.norm()
        for number in range(len(widths) - 1):
            named = names.format(2 * number)
            value = value @ held[f"{named}weight"].T + held[f"{named}bias"]
    assert made.meta["score"] == pytest.approx(float(value), rel=1e-4)


def test_a_head_of_another_width_or_of_no_clip_is_refused(
    bench: Workbench, clip: Path, tmp_path: Path
) -> None:
    bench.add(clip, "clip-tiny")
    wide = head(tmp_path / "wide.safetensors", "", 768, 1)
    with pytest.raises(BadModelFolder, match="is for embeddings of 768 numbers, and those of 'cli"):
        bench.add(wide, "wide")
    bench.model("tiles")
    with pytest.raises(BadModelFolder, match="belongs to a CLIPModel, and 'tiles' is a TilesPipe"):
        add(bench._registry, wide, Wanted(name="wide", base="tiles"))
    with Workbench(tmp_path, entry_points=False) as empty, pytest.raises(UnknownBase):
        empty.add(wide, "wide")


def test_sharpness_is_that_of_edges_and_none_without_them() -> None:
    def sharpness(pixels: np.ndarray) -> float:
        return Sharpness().score(None, pixels, None, None)  # type: ignore[arg-type]

    squares = np.kron(np.indices((8, 8)).sum(0) % 2, np.ones((4, 4)))[..., None].repeat(3, 2)
    blurred = (squares + np.roll(squares, 1, 0) + np.roll(squares, 1, 1)) / 3
    assert sharpness(np.full((16, 16, 3), 80, np.uint8)) == 0
    assert sharpness(squares) > sharpness(blurred) > 0
    assert sharpness(np.zeros((1, 1, 3), np.uint8)) == 0


def test_colourfulness_is_as_its_paper_has_it() -> None:
    def colourfulness(pixels: np.ndarray) -> float:
        return Colourfulness().score(None, pixels, None, None)  # type: ignore[arg-type]

    assert colourfulness(np.full((8, 8, 3), 120, np.uint8)) == 0
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 0] = 200  # red − green is 200 everywhere, (red + green)/2 − blue is 100
    assert colourfulness(red) == pytest.approx(0.3 * np.hypot(200, 100))


def test_a_clip_is_seen_by_frames_from_all_over_it() -> None:
    frames = np.arange(50, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    seen = [int(frame[0, 0, 0]) for frame in VideoAgreement().pictures(frames)]
    assert seen == [3, 9, 15, 21, 28, 34, 40, 46]
    assert len(VideoAgreement().pictures(frames[:3])) == 3 < FRAMES


def test_a_solid_is_seen_by_its_picture() -> None:
    import trimesh

    box = trimesh.creation.box((0.5, 0.5, 0.5))
    box.visual.vertex_colors = [255, 0, 0, 255]
    (shown,) = MeshAgreement().pictures(box)
    assert (shown.shape, shown.dtype) == ((256, 256, 3), np.uint8)


# In a home


def scored_tiles() -> PluginHost:
    return PluginHost([tiles_plugin, Scorers()], entry_points=False)


def test_a_job_keeps_its_scores(tmp_path: Path) -> None:
    with Studio(tmp_path, devices=["cpu"], plugins=scored_tiles()) as studio:
        job = studio.submit("tile", **TILE, best_of=3, scorer="brightness", keep=2)
        best, second = job.result(120)
        assert (best.name, second.name) == ("tile.png", "tile-2.png")
        assert best.score is not None
        assert second.score is not None
        assert best.score > second.score
        assert [note for note in job.notes if note.startswith("best of 3 by brightness: seed")]
        with Image.open(best.path) as file:
            told = json.loads(file.info["omnifex"])
        assert (told["seed"], told["score"]) == (best.meta["seed"], best.score)
        assert told["scorer"] == "brightness"
        assert len(told["scores"]) == 3
        assert [one.sha256 for one in studio.replay(job.id).result(120)] == [
            best.sha256,
            second.sha256,
        ]
        alone = studio.fork(job.id, seed=told["seed"], best_of=None, scorer=None, keep=None)
        (same,) = alone.result(120)
        assert same.score is None
        with Image.open(same.path) as one, Image.open(best.path) as other:
            assert one.tobytes() == other.tobytes()


def test_the_command_line_shows_scores(tmp_path: Path) -> None:
    commands, home, line = app(scored_tiles()), ["--home", str(tmp_path)], CliRunner()
    asked = ["tile", "red", "--seed", "7", "--best-of", "2", "--scorer", "brightness", "--json"]
    ran = json.loads(line.invoke(commands, [*asked, *home]).stdout)
    (best, _) = ran["artifacts"]
    shown = line.invoke(commands, ["jobs", "show", ran["id"], *home]).stdout
    assert f"seed {best['meta']['seed']}, score {best['meta']['score']:.4g}" in shown
    assert "best of 2 by brightness: seed " in shown
    listed = json.loads(line.invoke(commands, ["plugins", "--json"]).stdout)["plugins"]
    assert [plugin["scorers"] for plugin in listed] == [[], ["brightness"]]
