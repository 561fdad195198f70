"""Solids: a field becomes a closed, coloured surface; its files open elsewhere; it is drawn."""

from __future__ import annotations

import hashlib
import io
import json
import struct

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from omnifex import provenance as record
from omnifex_mesh.files import FORMATS, UnreadableMesh, decode, encode, read_provenance
from omnifex_mesh.marching import EmptySurface, surface
from omnifex_mesh.render import render

PROVENANCE = {
    "prompt": "a red café ★ sphere on a navy cube\nand more of it " + "x" * 500,
    "seed": 7,
    "model": "prism",
    "modality": "mesh",
    "parameters": {"steps": 8, "sampler": None},
    "omnifex": "0.1.0",
}
RED, NAVY = (0.9, 0.15, 0.1), (0.1, 0.12, 0.45)


def axes(count: int) -> list[np.ndarray]:
    centres = (np.arange(count) + 0.5) / count - 0.5
    return list(np.meshgrid(centres, centres, centres, indexing="ij"))  # z, y, x


def ball(x: float, y: float, z: float, radius: float, count: int = 32) -> np.ndarray:
    depth, height, across = axes(count)
    return np.sqrt((across - x) ** 2 + (height - y) ** 2 + (depth - z) ** 2) - radius


def painted(field: np.ndarray, colour: tuple[float, float, float]) -> np.ndarray:
    return np.broadcast_to(colour, (*field.shape, 3))


def two_balls() -> trimesh.Trimesh:
    """A red one above a navy one."""
    upper, lower = ball(0, 0.2, 0, 0.22), ball(0, -0.2, 0, 0.25)
    colours = np.where((upper < lower)[..., None], RED, NAVY)
    return surface(np.minimum(upper, lower), colours)


def test_a_ball_is_closed_faces_outward_and_has_its_volume() -> None:
    field = ball(0, 0, 0, 0.3)
    mesh = surface(field, painted(field, RED))
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(4 / 3 * np.pi * 0.3**3, rel=0.02)
    np.testing.assert_allclose(mesh.bounds, [[-0.3] * 3, [0.3] * 3], atol=0.005)
    outward = np.einsum("fd,fd->f", mesh.face_normals, mesh.triangles_center)
    assert (outward > 0).all()


def test_the_axes_are_x_right_y_up_z_to_the_viewer() -> None:
    field = ball(0.2, 0.1, -0.15, 0.12)
    middle = surface(field, painted(field, RED)).bounds.mean(axis=0)
    np.testing.assert_allclose(middle, [0.2, 0.1, -0.15], atol=0.005)


def test_each_part_keeps_its_colour() -> None:
    mesh = two_balls()
    top, bottom = mesh.vertices[:, 1] > 0.05, mesh.vertices[:, 1] < -0.05
    colours = mesh.visual.vertex_colors[:, :3] / 255
    np.testing.assert_allclose(colours[top], np.tile(RED, (top.sum(), 1)), atol=0.005)
    np.testing.assert_allclose(colours[bottom], np.tile(NAVY, (bottom.sum(), 1)), atol=0.005)


def test_colours_between_grid_points_are_mixed() -> None:
    field = ball(0, 0, 0, 0.3)
    _, height, _ = axes(32)
    mesh = surface(field, np.stack([height + 0.5] * 3, axis=-1))
    shown = mesh.visual.vertex_colors[:, 0] / 255
    np.testing.assert_allclose(shown, mesh.vertices[:, 1] + 0.5, atol=0.004)


def test_a_solid_that_reaches_the_wall_is_closed_at_the_wall() -> None:
    field = ball(0.5, 0, 0, 0.3)
    mesh = surface(field, painted(field, RED))
    assert mesh.is_watertight
    assert mesh.bounds[1, 0] == pytest.approx(0.5)
    assert mesh.volume == pytest.approx(2 / 3 * np.pi * 0.3**3, rel=0.02)


def test_a_full_grid_is_the_box_that_it_fills() -> None:
    field = np.full((8, 16, 4), -1.0)
    mesh = surface(field, painted(field, RED))
    np.testing.assert_allclose(mesh.bounds, [[-0.125, -0.5, -0.25], [0.125, 0.5, 0.25]], atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["noise", "whole numbers", "flat", "nan"]))
def test_any_field_gives_a_closed_surface_in_every_format(seed: int, kind: str) -> None:
    field = np.random.default_rng(seed).standard_normal((9, 10, 11))
    if kind == "whole numbers":
        field = np.rint(field)  # many values that are exactly zero
    if kind == "flat":
        field = np.sign(field)
    if kind == "nan":
        field[field > 1] = np.nan
    mesh = surface(field, painted(field, RED))
    assert mesh.is_watertight
    assert mesh.volume > 0
    for extension in FORMATS:
        data = encode(mesh, extension, PROVENANCE)
        assert trimesh.load_mesh(io.BytesIO(data), file_type=extension).is_watertight


@pytest.mark.parametrize("value", [0.0, 1.0, np.nan, np.inf])
def test_a_field_without_an_inside_is_refused(value: float) -> None:
    field = np.full((8, 8, 8), value)
    with pytest.raises(EmptySurface, match=r"the 8×8×8 field has no inside") as caught:
        surface(field, painted(field, RED))
    assert caught.value.code == "empty_surface"


@pytest.mark.parametrize("extension", FORMATS)
def test_another_program_opens_the_mesh(extension: str) -> None:
    mesh = two_balls()
    data = encode(mesh, extension, PROVENANCE)
    opened = trimesh.load_mesh(io.BytesIO(data), file_type=extension)
    assert opened.is_watertight
    assert opened.volume == pytest.approx(mesh.volume, rel=1e-4)
    assert len(opened.faces) == len(mesh.faces)


@pytest.mark.parametrize("extension", ["glb", "obj", "ply"])
def test_decode_gives_colours_back(extension: str) -> None:
    mesh = two_balls()
    opened = decode(encode(mesh, extension, PROVENANCE), extension)
    assert len(opened.vertices) == len(mesh.vertices)
    order, again = (np.lexsort(np.round(m.vertices, 4).T) for m in (mesh, opened))
    shown, wanted = opened.visual.vertex_colors[again], mesh.visual.vertex_colors[order]
    worst = np.abs(shown[:, :3].astype(int) - wanted[:, :3]).max()
    assert worst <= (
        7 if extension == "glb" else 0
    )  # 8 bits of linear light are coarse in the dark


def test_a_glb_is_lit_as_a_plain_painted_solid() -> None:
    data = encode(two_balls(), "glb", PROVENANCE)
    (length,) = struct.unpack_from("<I", data, 12)
    tree = json.loads(data[20 : 20 + length])
    (primitive,) = tree["meshes"][0]["primitives"]
    assert {"POSITION", "NORMAL", "COLOR_0"} <= set(primitive["attributes"])
    assert tree["materials"][primitive["material"]]["pbrMetallicRoughness"]["metallicFactor"] == 0
    assert tree["asset"]["generator"] == "omnifex 0.1.0"
    assert tree["scenes"][0]["name"].startswith("a red café ★ sphere on a navy cube and")


@pytest.mark.parametrize("extension", ["glb", "obj", "ply"])
def test_the_provenance_comes_back_whole(extension: str) -> None:
    assert read_provenance(encode(two_balls(), extension, PROVENANCE)) == PROVENANCE


def test_no_line_of_a_ply_header_is_too_long_for_old_readers() -> None:
    header = encode(two_balls(), "ply", PROVENANCE).partition(b"end_header")[0]
    assert max(map(len, header.split(b"\n"))) < 256


def test_an_stl_keeps_the_digest_of_the_provenance_alone() -> None:
    data = encode(two_balls(), "stl", PROVENANCE)
    digest = hashlib.sha256(record.to_json(PROVENANCE).encode()).hexdigest()
    assert data[:80].decode().strip() == f"omnifex sha256:{digest}"
    assert read_provenance(data) is None


@pytest.mark.parametrize("extension", FORMATS)
def test_the_same_mesh_gives_the_same_bytes(extension: str) -> None:
    assert encode(two_balls(), extension, PROVENANCE) == encode(two_balls(), extension, PROVENANCE)


@pytest.mark.parametrize("extension", FORMATS)
def test_a_mesh_made_elsewhere_has_no_provenance(extension: str) -> None:
    data = trimesh.creation.box().export(file_type=extension)
    assert read_provenance(data.encode() if isinstance(data, str) else data) is None


@pytest.mark.parametrize("extension", FORMATS)
@pytest.mark.parametrize("data", [b"", b"Dear Omnifex, here is a mesh", b"glTF", b"ply\n"])
def test_what_is_no_mesh_is_refused_in_one_sentence(data: bytes, extension: str) -> None:
    with pytest.raises(
        UnreadableMesh, match=rf"give a whole {extension.upper()} file\.$"
    ) as caught:
        decode(data, extension)
    assert caught.value.code == "unreadable_mesh"


@pytest.mark.parametrize("extension", ["glb", "ply", "stl"])
def test_a_mesh_cut_in_half_is_refused(extension: str) -> None:
    data = encode(two_balls(), extension, PROVENANCE)
    with pytest.raises(UnreadableMesh):
        decode(data[: len(data) // 2], extension)


def test_a_mesh_with_points_that_are_not_numbers_is_refused() -> None:
    points = [[0, 0, 0], [0, 1, 0], [np.inf, 0, 0], [0, 0, 1]]
    data = trimesh.Trimesh(points, [[0, 1, 2], [1, 2, 3]], process=False).export(file_type="ply")
    with pytest.raises(UnreadableMesh):
        decode(data, "ply")


def test_the_provenance_of_a_broken_glb_is_refused() -> None:
    with pytest.raises(UnreadableMesh):
        read_provenance(encode(two_balls(), "glb", PROVENANCE)[:300])


def test_the_picture_shows_the_upper_ball_above_and_the_lower_below() -> None:
    page = render(two_balls(), 96).astype(int)
    assert page.shape == (96, 96, 3)
    red, green, blue = np.moveaxis(page, -1, 0)
    is_red, is_navy = red > blue + 60, blue > red + 30
    assert 300 < is_red.sum() < 3000
    assert 300 < is_navy.sum() < 3000
    assert np.nonzero(is_red)[0].mean() + 15 < np.nonzero(is_navy)[0].mean()
    assert page[[0, 0, -1], [0, -1, 0]].min() > 180  # the page is light
    assert np.abs(red - green)[0].max() < 12


def test_what_is_nearer_hides_what_is_behind_it() -> None:
    front, back = ball(0, 0, 0.25, 0.2), ball(0, 0, -0.25, 0.2)
    colours = np.where((front < back)[..., None], RED, NAVY)
    page = render(surface(np.minimum(front, back), colours), 96).astype(int)
    red, navy = page[..., 0] > page[..., 2] + 60, page[..., 2] > page[..., 0] + 30
    assert red.sum() > 1.3 * navy.sum() > 0


def test_a_small_solid_looks_smaller_than_a_large_one() -> None:
    def covered(radius: float) -> int:
        field = ball(0, 0, 0, radius)
        page = render(surface(field, painted(field, RED)), 64).astype(int)
        return int((page[..., 0] > page[..., 2] + 60).sum())

    assert covered(0.1) < 0.5 * covered(0.2)


def test_a_mesh_of_few_large_faces_is_drawn_whole() -> None:
    box = trimesh.creation.box((1, 0.6, 0.8))
    box.visual.vertex_colors = np.tile([200, 60, 50, 255], (8, 1))
    page = render(box, 96).astype(int)
    covered = page[..., 0] > page[..., 2] + 40
    rows = covered.any(axis=1).nonzero()[0]
    for row in rows:  # no holes: every row of it is one stretch
        assert covered[row].sum() == np.ptp(covered[row].nonzero()[0]) + 1


def test_a_face_seen_from_behind_is_not_drawn() -> None:
    away = trimesh.Trimesh([[0, 0, 0], [0, 1, 0], [1, 0, 0]], [[0, 1, 2]], process=False)
    assert render(away, 32).min() > 120
