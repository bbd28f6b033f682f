# SPDX-License-Identifier: GPL-3.0-or-later
"""Photographs against geometry written another way, and the true flow against the pictures themselves."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from keywarp.core.layered import FIELD_DEGREES
from keywarp.core.studio.actor import Actor, Pose, read_pose
from keywarp.core.studio.camera import Camera
from keywarp.core.studio.dataset import open_character
from keywarp.core.studio.figure import Figure, Floats, Material, Morph
from keywarp.core.studio.palette import STYLES
from keywarp.core.studio.photograph import Shot, Studio
from keywarp.core.studio.rig import BonePose, rotation
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.spaces import space

SIDE = 128
CAMERA = Camera(0.0, 0.0, 0.0, 1.0)


def quads(*squares: tuple[float, float, float, float], alpha: float = 1.0) -> Figure:
    """Squares that face the camera, each of a material of its own: x, y, z of the middle, half the side."""
    positions, triangles, uv = [], [], []
    for x, y, z, half in squares:
        n = len(positions)
        for i, j in ((-1, 1), (1, 1), (-1, -1), (1, -1)):
            positions.append((x + i * half, y + j * half, z))
            uv.append(((i + 1) / 2, (1 - j) / 2))
        triangles += [(n, n + 1, n + 2), (n + 1, n + 3, n + 2)]
    count = len(positions)
    colours = [(1.0, 0.2, 0.2, alpha), (0.2, 0.6, 1.0, 1.0), (0.3, 0.9, 0.3, 1.0)]
    return Figure(
        "squares",
        np.array(positions, np.float32),
        np.tile(np.array([0, 0, -1], np.float32), (count, 1)),
        np.array(uv, np.float32),
        np.array(triangles, np.int32),
        np.repeat(np.arange(len(squares), dtype=np.int32), 2),
        tuple(Material(f"m{i}", colours[i]) for i in range(len(squares))),
        (),
        ("head",),
        np.array([-1], np.int32),
        np.zeros((1, 3), np.float32),
        np.zeros((count, 4), np.int32),
        np.tile(np.array([1, 0, 0, 0], np.float32), (count, 1)),
        {},
    )


def shot(figure: Figure, moved: Floats, style: str = "flat") -> tuple[Studio, Shot]:
    studio = Studio(figure, CAMERA, (figure.positions, figure.normals), STYLES[style], SIDE)
    return studio, studio.shot((moved.astype(np.float32), figure.normals))


def square_places() -> npt.NDArray[np.float64]:
    """(SIDE,): the pixels' places in the square's units."""
    return (2 * np.arange(SIDE) + 1) / SIDE - 1


def test_the_flow_of_a_turned_plane_is_a_homography() -> None:
    figure = quads((0, 0, 0, 0.7))
    turn = rotation(12, -25, 8)
    _, seen = shot(figure, figure.positions @ turn.T)
    distance = 1 / np.tan(np.radians(FIELD_DEGREES / 2))
    gx, gy = np.meshgrid(square_places(), -square_places())
    # The ray through each pixel meets the turned plane where it was at rest: solve for the point on the plane.
    rays = np.stack((gx, gy, np.full_like(gx, distance)), -1)
    eye = np.array([0, 0, -distance])
    normal = turn @ [0, 0, 1]
    points = eye + rays * ((-eye @ normal) / (rays @ normal))[..., None]
    at_rest = points @ turn
    inside = (np.abs(at_rest[..., :2]) < 0.68).all(-1)
    rest_square = at_rest[..., :2] * [1, -1]  # the plane lies at the distance where units are the square's
    expected = rest_square - np.stack(np.meshgrid(square_places(), square_places()), -1)
    assert inside.sum() > 5000
    assert np.abs(seen.flow - expected)[inside].max() < 1e-4
    assert (seen.visible[inside] == 1).all()
    outside = (np.abs(at_rest[..., :2]) > 0.74).any(-1)
    assert (seen.picture[outside] == 0).all()
    assert (seen.flow[outside] == 0).all()


def test_what_was_hidden_at_rest_is_not_visible() -> None:
    figure = quads((0, 0, 0.5, 0.8), (0.1, 0, 0, 0.3))
    moved = figure.positions.copy()
    moved[4:, 0] += 0.4  # the square in front moves aside
    _, seen = shot(figure, moved)
    gx, gy = np.meshgrid(square_places(), -square_places())
    was_covered = (np.abs(gx - 0.1) < 0.27) & (np.abs(gy) < 0.27)
    now_covered = (np.abs(gx - 0.5) < 0.33) & (np.abs(gy) < 0.33)
    assert (seen.visible[was_covered & ~now_covered] == 0).all()
    assert np.abs(seen.flow[was_covered & ~now_covered]).max() < 1e-4
    beside = (np.abs(gx) < 0.6) & (np.abs(gy) > 0.4) & (np.abs(gy) < 0.6)
    assert (seen.visible[beside] == 1).all()
    carried = (np.abs(gx - 0.5) < 0.27) & (np.abs(gy) < 0.27)
    np.testing.assert_allclose(seen.flow[carried], [[-0.4, 0]] * carried.sum(), atol=1e-4)
    assert (seen.visible[carried] == 1).all()


def test_the_nearer_surface_covers_and_translucent_ones_blend() -> None:
    behind_drawn_last = quads((0, 0, -0.2, 0.3), (0, 0, 0.2, 0.6))
    studio, _ = shot(behind_drawn_last, behind_drawn_last.positions)
    assert studio.rest[SIDE // 2, SIDE // 2].tolist() == [255, 51, 51, 255]
    assert studio.rest[SIDE // 2, SIDE // 4].tolist() == [51, 153, 255, 255]
    glass = quads((0, 0, -0.2, 0.3), alpha=0.5)
    alone = Studio(glass, CAMERA, (glass.positions, glass.normals), STYLES["flat"], SIDE)
    np.testing.assert_allclose(alone.rest[SIDE // 2, SIDE // 2], [255, 51, 51, 128], atol=1)


def test_backs_are_not_drawn_and_edges_are_smooth() -> None:
    figure = quads((0, 0, 0, 0.5))
    studio, seen = shot(figure, figure.positions @ rotation(0, 180, 0).T)
    assert not seen.picture.any()
    alpha = studio.rest[..., 3].astype(float).sum() / 255
    assert alpha == pytest.approx((0.5 * SIDE) ** 2, rel=0.01)


def test_outlines_lie_around_what_they_outline() -> None:
    ball = sphere()
    plain, outlined = (
        Studio(ball, CAMERA, (ball.positions, ball.normals), STYLES[style], SIDE).rest
        for style in ("cel", "outline")
    )
    ring = outlined[..., 3] > plain[..., 3]
    assert ring.sum() > 50
    assert outlined[ring][:, :3].mean() < 120


def sphere() -> Figure:
    """A ball with an outline."""
    steps = 24
    v, u = np.mgrid[0 : steps + 1, 0 : steps + 1] / steps
    normals = np.stack(
        (
            np.sin(np.pi * v) * np.sin(2 * np.pi * u),
            np.cos(np.pi * v),
            -np.sin(np.pi * v) * np.cos(2 * np.pi * u),
        ),
        -1,
    )
    flat = normals.reshape(-1, 3).astype(np.float32)
    triangles = []
    for j in range(steps):
        for i in range(steps):
            a = j * (steps + 1) + i
            triangles += [(a, a + 1, a + steps + 1), (a + 1, a + steps + 2, a + steps + 1)]
    count = len(flat)
    return Figure(
            "ball", flat * np.float32(0.6), flat, np.zeros((count, 2), np.float32), np.array(triangles, np.int32),
            np.zeros(len(triangles), np.int32), (Material("ball", (0.9, 0.8, 0.7, 1), edge=(0, 0, 0, 1)),), (),
            ("head",), np.array([-1], np.int32), np.zeros((1, 3), np.float32), np.zeros((count, 4), np.int32),
            np.tile(np.array([1, 0, 0, 0], np.float32), (count, 1)), {},
    )  # fmt: skip


def test_the_styles_shade_from_light_to_dark() -> None:
    ball = sphere()
    shades = {}
    for name, style in STYLES.items():
        rest = Studio(ball, CAMERA, (ball.positions, ball.normals), style, SIDE).rest
        inside = (rest[..., 3] == 255) & (rest[..., :3].sum(-1) > 240)
        shades[name] = len(np.unique(rest[inside][:, 0]))
    assert shades["flat"] == 1
    assert shades["soft"] > 20
    # Two tones and the pixels between them.
    tones = Studio(ball, CAMERA, (ball.positions, ball.normals), STYLES["cel"], SIDE).rest
    values, counts = np.unique(tones[tones[..., 3] == 255][:, 0], return_counts=True)
    assert sorted(counts)[-2:] and sum(sorted(counts)[-2:]) > 0.85 * counts.sum()
    assert len(values) > 2


@pytest.mark.parametrize("side", [0, 127, 4097])
def test_pictures_of_other_sizes_are_refused(side: int) -> None:
    figure = quads((0, 0, 0, 0.5))
    with pytest.raises(KeywarpError, match="128 to 4096"):
        Studio(figure, CAMERA, (figure.positions, figure.normals), STYLES["flat"], side)


@pytest.mark.parametrize(
    ("space_name", "channel", "value", "head"),
    [
        ("tha45", "head_x", 1.0, (15, 0, 0)),
        ("tha45", "head_y", -1.0, (0, -10, 0)),
        ("tha45", "neck_z", 1.0, (0, 0, 15)),
        ("animeceleb20", "pitch", 20.0, (-20, 0, 0)),
        ("animeceleb20gaze", "yaw", 20.0, (0, -20, 0)),
        ("animeceleb20gaze", "roll", -20.0, (0, 0, -20)),
        ("anitalk6", "left_right_head", 1.0, (0, 20, 0)),
    ],
)
def test_heads_turn_as_the_spaces_say(
    space_name: str, channel: str, value: float, head: tuple[float, float, float]
) -> None:
    pose = read_pose(space_name, space(space_name).pose({channel: value}))
    assert pose.bones.head == pytest.approx(head)


def test_faces_move_as_the_spaces_say() -> None:
    closed = space("anitalk6").pose({"left_eye": 0.25, "mouth": 0.5})
    pose = read_pose("anitalk6", closed)
    assert pose.face == pytest.approx({"eye_wink_left": 0.75, "mouth_aaa": 0.5})
    with pytest.raises(KeywarpError, match="arkit52"):
        read_pose("arkit52", space("arkit52").rest())


def test_an_actor_blinks_where_its_eyes_are(bust_file: Path) -> None:
    character = open_character(bust_file)
    actor = Actor(character.figure, character.annotation)
    studio = actor.studio(SIDE)
    seen = studio.shot(actor.placed(Pose({"eye_wink_left": 1.0})))
    changed = np.abs(seen.picture.astype(int) - studio.rest).max(-1) > 8
    columns = np.flatnonzero(changed.any(0))
    assert columns.min() > SIDE // 2  # the character's left is the picture's right
    # The shut eye is a slit where the open one was; the other is as large as before.
    eyes = seen.regions["eyes"] > 0.5
    rows, cols = np.flatnonzero(changed.any(1)), np.flatnonzero(eyes.any(0))
    assert eyes[:, : SIDE // 2].sum() > 2.5 * eyes[:, SIDE // 2 :].sum() > 0
    assert not eyes[: rows.min() - 2].any()
    assert cols.max() <= columns.max() + 1
    assert not (seen.regions["mouth"] > 0)[: rows.max()].any()


def psnr(figure_file: Path, side: int, poses: int) -> list[tuple[float, float]]:
    """Of posed pictures, against the rest picture warped by the flow: where there is texture, and everywhere.

    The rest picture is taken four times as large and brought to the pixels' footprint by a box, so that what is
    compared is the flow and not a resampling filter.
    """
    character = open_character(figure_file)
    actor = Actor(character.figure, character.annotation)
    studio, large = actor.studio(side), actor.studio(4 * side)
    rest = cv2.blur(premultiplied(large.rest), (4, 4), anchor=(2, 2))
    chance = np.random.default_rng(7)
    found = []
    for _ in range(poses):
        turn = tuple(chance.uniform(-20, 20, 3))
        face = {"mouth_aaa": chance.uniform(), "eye_wink_left": chance.uniform(), "eyebrow_raised_right": 1.0}
        bones = BonePose(turn, (0.0, chance.uniform(-8, 8), chance.uniform(-8, 8)))
        seen = studio.shot(actor.placed(Pose(face, bones)))
        places = (2 * np.arange(side) + 1) / side - 1
        x = (places + seen.flow[..., 0] + 1) * side / 2 - 0.5
        y = (places[:, None] + seen.flow[..., 1] + 1) * side / 2 - 0.5
        warped = cv2.remap(
            rest, (4 * x + 2).astype(np.float32), (4 * y + 2).astype(np.float32), cv2.INTER_CUBIC
        )
        posed = premultiplied(seen.picture)
        # Pixels of one surface, and not those that a silhouette runs through.
        known = ((seen.visible == 1) & (seen.picture[..., 3] == 255)).astype(np.uint8)
        whole = cv2.erode(known, np.ones((3, 3), np.uint8), borderValue=0) > 0
        whole &= smooth(seen.flow * side / 2)
        texture = whole & (np.abs(cv2.Laplacian(posed[..., :3].mean(-1), cv2.CV_32F)) > 4)
        assert whole.mean() > 0.1
        found.append(tuple(decibels(warped - posed, where) for where in (texture, whole)))
    return found


def smooth(flow: Floats) -> npt.NDArray[np.bool_]:
    """Where no surface ends: at its border two motions meet, and the pixel shows something of both."""
    bent = np.abs(cv2.Laplacian(flow, cv2.CV_32F)).max(-1)
    return np.asarray(cv2.dilate(bent, np.ones((3, 3), np.uint8)) < 0.2)


def premultiplied(pixels: npt.NDArray[np.uint8]) -> Floats:
    out = pixels.astype(np.float32)
    out[..., :3] *= out[..., 3:] / 255
    return out


def decibels(error: Floats, where: npt.NDArray[np.bool_]) -> float:
    return (
        float(10 * np.log10(255**2 / max(float(np.mean(error[where] ** 2)), 1e-9))) if where.any() else 99.0
    )


def test_the_rest_picture_warped_by_the_flow_is_the_posed_picture(bust_file: Path) -> None:
    for texture, whole in psnr(bust_file, 256, 2):
        assert texture > 35
        assert whole > 35


@pytest.mark.shared
@pytest.mark.slow
def test_the_flow_of_a_real_character_is_right(shared: Path, full: bool) -> None:
    for texture, whole in psnr(shared / "characters" / "gene" / "Gene_light.pmx", 192, 12 if full else 2):
        assert texture > 35
        assert whole > 40


@pytest.mark.full
@pytest.mark.shared
@pytest.mark.slow
def test_the_flow_of_a_repainted_character_is_right(shared: Path) -> None:
    """Without its textures there are only borders of flat parts to compare."""
    for _, whole in psnr(shared / "characters" / "uka" / "MS_Uka.pmx", 256, 6):
        assert whole > 35


def test_a_morph_without_vertices_moves_nothing(bust_file: Path) -> None:
    from dataclasses import replace

    character = open_character(bust_file)
    empty = Morph("x", np.zeros(0, np.int32), np.zeros((0, 3), np.float32))
    figure = replace(character.figure, morphs={**character.figure.morphs, "x": empty})
    from keywarp.core.studio.annotate import Part

    actor = Actor(figure, {**character.annotation, "mouth_smirk": (Part("x"),)})
    np.testing.assert_array_equal(actor.placed(Pose({"mouth_smirk": 1.0}))[0], actor.placed()[0])
