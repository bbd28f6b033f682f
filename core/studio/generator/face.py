# SPDX-License-Identifier: GPL-3.0-or-later
"""The head's skin with what is painted on it, the nose, and the ears."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from keywarp.core.opencv import cv2
from keywarp.core.studio.generator.chance import Chance
from keywarp.core.studio.generator.drawn import REST, laid, ribbon
from keywarp.core.studio.generator.form import HeadForm
from keywarp.core.studio.generator.mesh import Array, Piece, dome, plane_uv
from keywarp.core.studio.generator.paint import Painting, Window, tapered
from keywarp.core.studio.generator.recipe import Recipe
from keywarp.core.studio.generator.tones import Rgb, mixed, shaded

WINDOW: Window = (-0.34, 0.34, 0.06, 1.02)


def skin_shade(skin: Rgb) -> Rgb:
    """The shadow colour of skin: warm, never grey."""
    return mixed(shaded(skin, 0.75), (0.93, 0.55, 0.50), 0.22)


def head(form: HeadForm, holes: Sequence[Array]) -> Piece:
    """The head's surface without what lies wholly in the holes, (N, 2) each, of its front."""
    points, triangles, normals = form.solid()
    inside = np.zeros(len(points), bool)
    front = points[:, 2] < form.depths(points[:, 1])[0]
    for hole in holes:
        contour = hole.astype(np.float32).reshape(-1, 1, 2)
        near = np.flatnonzero(front & (points[:, 1] < 0.8))
        for index in near:
            x, y = float(points[index, 0]), float(points[index, 1])
            inside[index] |= cv2.pointPolygonTest(contour, (x, y), False) > 0
    kept = ~inside[triangles].all(1)
    return Piece("face", points, triangles[kept], normals, plane_uv(points, WINDOW))


def painting(recipe: Recipe, shadows: Sequence[Array], lids: Sequence[Array], per_unit: float) -> Painting:
    """The skin of the face. ``shadows``: closed shapes of hair, (N, 2), that darken it, but for the ``lids``."""
    skin, choice, eyes = recipe.tones.skin, recipe.face, recipe.eyes
    art = Painting(WINDOW, per_unit, skin)
    form = recipe.form
    shade = skin_shade(skin)
    x, y = art.places()
    wide = form.half_width(y[:, 0].astype(np.float64))[:, None].astype(np.float32)
    rim = np.clip((np.abs(x) / np.maximum(wide, 0.02) - 0.72) / 0.28, 0, 1) ** 2
    art.blend(rim * np.clip((0.5 - y) / 0.2, 0, 1), shade, 0.55)
    low = np.clip((0.165 - y) / 0.06, 0, 1) * np.clip(np.abs(x) / 0.10, 0, 1)
    art.blend(low, shade, 0.25)
    for side in (-1, 1):
        art.spot(
            side * (eyes.x + 0.030),
            eyes.y - eyes.drop - 0.035,
            (0.075, 0.042),
            (1.0, 0.52, 0.50),
            0.45 * choice.blush,
            1.0,
        )
        art.spot(side * eyes.x, eyes.y + 0.02, (0.105, 0.10), shade, 0.22, 0.8)
    if choice.blush > 0.42:
        _hatching(art, recipe)
    if choice.freckles:
        chance = Chance(recipe.seed, "freckles")
        for _ in range(18):
            at = chance.about(0, 0.2)
            art.spot(
                at, form.nose_y + 0.035 + chance.about(0, 0.02), (0.0045, 0.004), shaded(skin, 1.6), 0.6, 0.6
            )
    _mole(art, recipe)
    _nose_shade(art, recipe, shade)
    if recipe.mouth.lip_mark:
        mouth = recipe.mouth
        path = np.stack(
            (np.linspace(-0.016, 0.016, 9), mouth.y - 0.026 - 0.003 * np.cos(np.linspace(-1.5, 1.5, 9))), 1
        )
        art.stroke(path, tapered(9, 0.0065, 0.4, 0.4), shade, 0.8, blur=0.001)
    cast = np.zeros((art.height, art.width), np.float32)
    for outline in shadows:
        cast = np.maximum(cast, art.mask(outline))
    for outline in lids:
        cast *= 1 - art.mask(outline, 0.004)
    art.blend(cast, shade, 0.85)
    return art


def _hatching(art: Painting, recipe: Recipe) -> None:
    eyes = recipe.eyes
    for side in (-1, 1):
        for k in range(3):
            x = side * (eyes.x + 0.012 + 0.020 * k)
            y = eyes.y - eyes.drop - 0.040
            path = np.array([[x + 0.006, y + 0.012], [x, y], [x - 0.006, y - 0.012]])
            art.stroke(path, np.array([0.0012, 0.0045, 0.0012]), (0.93, 0.42, 0.42), 0.6 * recipe.face.blush)


def _mole(art: Painting, recipe: Recipe) -> None:
    eyes, mouth = recipe.eyes, recipe.mouth
    places = {
        "eye left": (eyes.x + 0.035, eyes.y - eyes.drop - 0.024),
        "eye right": (-eyes.x - 0.035, eyes.y - eyes.drop - 0.024),
        "mouth": (mouth.half_width + 0.014, mouth.y - 0.022),
    }
    if recipe.face.mole in places:
        x, y = places[recipe.face.mole]
        art.spot(x, y, (0.006, 0.006), (0.30, 0.18, 0.17), 0.9, 0.5)


def _nose_shade(art: Painting, recipe: Recipe, shade: Rgb) -> None:
    y = recipe.form.nose_y
    art.spot(0.0, y - 0.004, (0.026, 0.018), (1.0, 0.60, 0.56), 0.16, 1.0)
    if recipe.face.nose in ("shadow", "wedge"):
        shape = np.array([[0.002, y + 0.026], [0.020, y - 0.002], [0.003, y - 0.011], [-0.006, y - 0.004]])
        art.shape(shape, shade, 0.9, blur=0.0015)


def nose(recipe: Recipe) -> list[Piece]:
    """The mark by which noses are drawn."""
    y, kind = recipe.form.nose_y, recipe.face.nose
    if kind in ("line", "tip"):
        path = np.array([[0.004, y + 0.024], [0.008, y + 0.008], [0.009, y - 0.005], [0.001, y - 0.010]])
        path = path[: 4 if kind == "line" else 3]
    elif kind == "dot":
        path = np.array([[-0.005, y - 0.006], [0.0, y - 0.008], [0.005, y - 0.006]])
    else:
        path = np.array([[-0.008, y - 0.008], [0.0, y - 0.012], [0.008, y - 0.008]])
    fine = np.stack(
        [np.interp(np.linspace(0, 1, 13), np.linspace(0, 1, len(path)), path[:, i]) for i in (0, 1)], 1
    )
    wide = tapered(13, 0.0065 * recipe.weight, 0.5, 0.5) + 0.0005
    form = recipe.form
    shapes = {REST: ribbon(fine, wide)}
    return [laid("nose line", shapes, lambda points: form.place(points, 0.004), form.normals)]


def ears(recipe: Recipe) -> list[Piece]:
    """Human ears, or pointed ones."""
    found = []
    tall, out = (0.072, 0.034) if recipe.face.ears == "round" else (0.082, 0.125)
    for sign in (-1.0, 1.0):
        y = recipe.eyes.y - 0.045
        x = sign * (float(recipe.form.half_width(y)) - 0.012)
        angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        if recipe.face.ears == "round":
            wide = np.where(np.sin(angle) > 0, 1.0, 0.72)
            outline = np.stack((out * np.cos(angle) * wide + 0.012 * np.sin(angle), tall * np.sin(angle)), 1)
        else:
            tip = np.maximum(np.cos(angle - 0.62), 0) ** 5
            outline = np.stack(
                (0.034 * np.cos(angle) + out * tip, tall * 0.7 * np.sin(angle) + 0.075 * tip), 1
            )
        around = np.stack(
            (x + sign * outline[:, 0], y + outline[:, 1], 0.045 - 0.05 * np.abs(outline[:, 0])), 1
        )
        centre = np.array([x, y, 0.04])
        found.append(dome("ear", around, centre, (0, 0, -0.022)))
        inner = centre + (around - centre) * 0.58 + np.array([sign * 0.004, 0.002, -0.017])
        found.append(
            dome("ear inside", inner, centre + np.array([sign * 0.004, 0, -0.017]), (0, 0, -0.008), 2)
        )
    return found
