"""What files say of their making, after a copy: ours in every format, and those of others."""

import json
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from omnifex.artifact import Artifact
from omnifex.cli.app import run
from omnifex.errors import UnreadableInput
from omnifex.studio import Studio
from omnifex_audio import files as audio
from omnifex_image import files as image
from omnifex_jobs import Artifact as StoredArtifact
from omnifex_mesh import files as mesh
from omnifex_video import files as video

SAID = {"prompt": "café noir", "seed": 7, "model": "prism", "omnifex": "0.1.0"}
FORMATS = ["png", "webp", "jpg", "mp4", "webm", "gif", "wav", "flac", "opus", "glb", "obj", "ply"]
BESIDE = {"webm", "opus", "glb", "obj", "ply", "stl"}


@pytest.fixture
def desk() -> Iterator[Studio]:
    with Studio(workers=0) as studio:
        yield studio


def made(kind: str) -> bytes:
    rng = np.random.default_rng(0)
    if kind in ("png", "webp", "jpg"):
        return image.encode(rng.integers(0, 255, (24, 24, 3), dtype=np.uint8), kind, SAID)
    if kind in ("mp4", "webm", "gif"):
        frames = rng.integers(0, 255, (4, 32, 32, 3), dtype=np.uint8)
        return video.encode(frames, 8, kind, SAID)
    if kind in ("wav", "flac", "opus"):
        wave = np.sin(np.arange(9600) / 20, dtype=np.float32)[None]
        return audio.encode(wave, 48_000, kind, SAID)
    solid = trimesh.creation.box()
    solid.visual.vertex_colors = np.full((8, 4), 200, np.uint8)
    return mesh.encode(solid, kind, SAID)


def artifact(studio: Studio, kind: str) -> Artifact:
    types = {
        suffix: media_type
        for modality in studio._home.plugins.modalities.values()
        for suffix, media_type in modality.formats.items()
    }
    stored = studio._home.store.put(made(kind), suffix=kind, media_type=types[kind])
    record = StoredArtifact(stored.sha256, stored.media_type, stored.size, name=f"a.{kind}")
    return Artifact(record, studio._home)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_copy_says_how_it_was_made(desk: Studio, tmp_path: Path, kind: str) -> None:
    copy = artifact(desk, kind).save(tmp_path / f"copy.{kind}", sign=False)
    found = desk.inspect(shutil.copy(copy, tmp_path / f"again.{kind}"))
    assert (found.tool, found.provenance, found.signature) == ("omnifex", SAID, None)
    assert not found.changed


@pytest.mark.parametrize("kind", [*FORMATS, "stl"])
def test_a_signed_copy_is_known_and_one_flipped_byte_is_reported(
    desk: Studio, tmp_path: Path, kind: str
) -> None:
    given = artifact(desk, kind)
    signed = given.save(tmp_path / "out" / f"signed.{kind}", sign=True)
    assert signed.with_suffix(".c2pa").exists() == (kind in BESIDE)
    assert (signed.read_bytes() == given.read_bytes()) == (kind in BESIDE)
    moved = Path(shutil.copytree(signed.parent, tmp_path / "moved")) / signed.name
    found = desk.inspect(moved)
    assert found.signature is not None
    assert (found.signature.state, found.signature.faults) == ("trusted", ())
    assert found.signature.generator.startswith("omnifex ")
    assert found.signature.said["sha256"] == given.sha256
    assert found.signature.beside == (kind in BESIDE)
    if kind != "stl":
        assert found.provenance == SAID
    data = bytearray(moved.read_bytes())
    data[len(data) * 2 // 3 if kind in BESIDE else -9] ^= 1
    moved.write_bytes(data)
    broken = desk.inspect(moved)
    assert broken.changed
    assert broken.signature is not None
    assert broken.signature.state == "broken"


def test_another_homes_signature_is_valid_but_not_trusted(tmp_path: Path, desk: Studio) -> None:
    with Studio(tmp_path / "other", workers=0) as other:
        signed = artifact(other, "png").save(tmp_path / "signed.png", sign=True)
        assert other.inspect(signed).signature.state == "trusted"  # type: ignore[union-attr]
    artifact(desk, "png").save(tmp_path / "mine.png", sign=True)
    found = desk.inspect(signed).signature
    assert found is not None
    assert (found.state, found.signer) == ("valid", "Omnifex (self-made) / Omnifex home")


def test_the_key_is_for_its_owner_alone(desk: Studio, tmp_path: Path) -> None:
    artifact(desk, "png").save(tmp_path, sign=True)
    folder = desk.home / "signing"
    assert stat.S_IMODE((folder / "key.pem").stat().st_mode) == 0o600
    assert sorted(path.name for path in folder.iterdir()) == ["chain.pem", "key.pem", "root.pem"]
    before = (folder / "key.pem").read_bytes()
    artifact(desk, "png").save(tmp_path, sign=True)
    assert (folder / "key.pem").read_bytes() == before


PARAMETERS = """a castle, oil painting
on two lines
Negative prompt: blurry
Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 42, Model: sd15, Lora hashes: "a: b, c: d\""""
GRAPH = {
    "3": {"class_type": "KSampler", "inputs": {"seed": 5, "steps": 30, "positive": ["6", 0]}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a fox", "clip": ["4", 1]}},
}


@pytest.mark.parametrize(
    ("tag", "text", "tool", "facts"),
    [
        (
            "parameters",
            PARAMETERS,
            "AUTOMATIC1111",
            {
                "prompt": "a castle, oil painting\non two lines",
                "negative_prompt": "blurry",
                "Seed": "42",
                "Lora hashes": "a: b, c: d",
            },
        ),
        ("prompt", json.dumps(GRAPH), "ComfyUI", {"prompts": ["a fox"], "seed": [5]}),
        ("invokeai_metadata", '{"positive_prompt": "x"}', "InvokeAI", {"positive_prompt": "x"}),
        ("parameters", "hello", None, {}),
        ("prompt", "[1, 2]", None, {}),
    ],
)
def test_pictures_of_others_are_understood(
    desk: Studio, tmp_path: Path, tag: str, text: str, tool: str | None, facts: Mapping[str, Any]
) -> None:
    chunks = PngInfo()
    chunks.add_itxt(tag, text)
    path = tmp_path / "other.png"
    Image.new("RGB", (8, 8)).save(path, pnginfo=chunks)
    found = desk.inspect(path)
    assert found.tool == tool
    assert facts.items() <= found.provenance.items()
    assert found.tags[tag] == text


def test_a_jpeg_with_parameters_in_its_exif_is_understood(desk: Studio, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + PARAMETERS.encode("utf-16-be")
    path = tmp_path / "other.jpg"
    Image.new("RGB", (8, 8)).save(path, exif=exif)
    found = desk.inspect(path)
    assert (found.tool, found.provenance["Seed"]) == ("AUTOMATIC1111", "42")


def test_what_is_no_media_says_nothing(desk: Studio, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("hello")
    found = desk.inspect(path)
    assert (found.tool, found.media_type) == (None, "application/octet-stream")
    (tmp_path / "cut.png").write_bytes(made("png")[:60])
    assert desk.inspect(tmp_path / "cut.png").tool is None
    with pytest.raises(UnreadableInput, match=r"nowhere\.png cannot be read"):
        desk.inspect(tmp_path / "nowhere.png")


def test_the_command_line_tells_and_exits_by_the_signature(
    desk: Studio, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    signed = artifact(desk, "png").save(tmp_path / "signed.png", sign=True)
    assert run(["inspect", str(signed)]) == 0
    told = capsys.readouterr().out
    assert "café noir" in told
    assert "unchanged, signed by this home" in told
    signed.write_bytes(signed.read_bytes()[:-9] + b"x" + signed.read_bytes()[-8:])
    assert run(["inspect", str(signed), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["changed"] is True
