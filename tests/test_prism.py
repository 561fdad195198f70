"""The built-in models as they ship: what a user of each modality gets, and what is refused."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from omnifex.errors import OmnifexError
from omnifex.workbench import Workbench
from omnifex_audio import files as audio_files
from omnifex_image import files as image_files
from omnifex_mesh import files as mesh_files
from omnifex_video import files as video_files

PROMPTS = {
    "image": "a large red circle in the center on a navy background",
    "video": "a large yellow star spinning on a black background",
    "audio": "a steady sine tone at A4",
    "mesh": "a large orange cube",
}
FORMATS = {
    "image": ("png", "webp", "jpg"),
    "video": ("mp4", "webm", "gif"),
    "audio": ("wav", "flac", "opus"),
    "mesh": ("glb", "obj", "ply", "stl"),
}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with Workbench(tmp_path_factory.mktemp("prism")) as workbench:
        yield workbench


def made(bench: Workbench, modality: str, **fields: Any) -> bytes:
    fields = {"prompt": PROMPTS[modality], "seed": 3, "steps": 4} | fields
    return bench.make(modality, **fields).files[0].data


@pytest.mark.parametrize("modality", PROMPTS)
def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(
    bench: Workbench, modality: str
) -> None:
    first = made(bench, modality)
    assert made(bench, modality) == first
    assert made(bench, modality, seed=4) != first


@pytest.mark.parametrize("model", ["prism", "prism-ldm"])
@pytest.mark.parametrize("modality", ["image", "audio"])
def test_pictures_and_sounds_are_made_by_both_backbones(
    bench: Workbench, modality: str, model: str
) -> None:
    assert len(made(bench, modality, model=model)) > 1000


@pytest.mark.parametrize("sampler", ["dpm-solver++", "ddim", "euler", "ddpm"])
def test_the_diffusion_backbone_takes_its_samplers_by_name(bench: Workbench, sampler: str) -> None:
    assert made(bench, "image", model="prism-ldm", sampler=sampler)[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("modality", "extension"), [(m, e) for m, found in FORMATS.items() for e in found]
)
def test_every_format_is_written_with_its_media_type(
    bench: Workbench, modality: str, extension: str
) -> None:
    fields = {"prompt": PROMPTS[modality], "seed": 3, "steps": 2, "format": extension}
    file = bench.make(modality, **fields).files[0]
    assert file.suffix == f".{extension}"
    assert file.media_type == bench.host.modality(modality).formats[extension]


def test_artifacts_have_the_size_that_the_model_makes(bench: Workbench) -> None:
    assert image_files.decode(made(bench, "image")).shape == (128, 128, 3)
    assert video_files.decode(made(bench, "video")).frames.shape == (24, 96, 96, 3)
    sound = audio_files.decode(made(bench, "audio"))
    assert (sound.samples.shape, sound.sample_rate) == ((1, 72_000), 24_000)
    assert mesh_files.decode(made(bench, "mesh", steps=16), "glb").is_watertight


def test_a_red_circle_on_navy_is_red_and_navy(bench: Workbench) -> None:
    pixels = image_files.decode(made(bench, "image", steps=16)).astype(int)
    assert abs(pixels[64, 64] - (220, 40, 40)).max() < 60
    assert abs(pixels[8, 8] - (20, 30, 90)).max() < 60


def test_a_tone_has_its_pitch(bench: Workbench) -> None:
    sound = audio_files.decode(made(bench, "audio", steps=16))
    spectrum = np.abs(np.fft.rfft(sound.samples[0]))
    loudest = spectrum.argmax() * sound.sample_rate / sound.samples.shape[1]
    assert loudest == pytest.approx(440, rel=0.04)


def test_a_solid_may_come_with_its_picture(bench: Workbench) -> None:
    fields = {"prompt": PROMPTS["mesh"], "seed": 3, "steps": 8, "preview": True}
    solid, preview = bench.make("mesh", **fields).files
    assert solid.role == "output"
    assert (preview.role, preview.media_type) == ("preview", "image/png")
    assert Image.open(io.BytesIO(preview.data)).size == (256, 256)


def test_a_picture_can_start_from_another(bench: Workbench, tmp_path: Path) -> None:
    path = tmp_path / "start.png"
    Image.new("RGB", (200, 100), (20, 30, 90)).save(path)
    fields = {"prompt": "a circle", "seed": 3, "steps": 8, "image": "sha256:x", "strength": 0.2}
    assignment = bench.assignment("image", **fields)
    started = bench.engine.run(replace(assignment, inputs={"sha256:x": path}))
    pixels = image_files.decode(started.files[0].data).astype(int)
    assert abs(np.median(pixels, (0, 1)) - (20, 30, 90)).max() < 40


@pytest.mark.parametrize(
    ("modality", "fields", "message"),
    [
        ("image", {"width": 256}, "width 256"),
        ("image", {"height": 100_000_000_000}, "height"),
        ("video", {"frames": 48}, "frames 48"),
        ("audio", {"seconds": 10}, "10"),
        ("image", {"steps": -1}, "steps"),
        ("image", {"sampler": "ddim"}, "ddim"),
        ("image", {"prompt": "a red zebra"}, "zebra"),
        ("audio", {"prompt": "a purple tone"}, "purple"),
        ("mesh", {"format": "fbx"}, "fbx"),
        ("image", {"colour": "red"}, "colour"),
    ],
)
def test_what_a_model_cannot_make_is_refused_in_one_sentence(
    bench: Workbench, modality: str, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(OmnifexError) as refused:
        bench.assignment(modality, **({"prompt": PROMPTS[modality]} | fields))
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_all_modalities_share_one_backbone_and_both_models_share_autoencoders(
    bench: Workbench,
) -> None:
    for modality in PROMPTS:
        made(bench, modality, steps=1)
    made(bench, "image", model="prism-ldm", steps=1)
    resident = [entry.component.id for entry in bench.engine.residents()]
    assert len(resident) == len(set(resident))
    shared = bench.model("prism").components["image_autoencoder"].id
    assert bench.model("prism-ldm").components["image_autoencoder"].id == shared
