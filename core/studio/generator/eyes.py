# SPDX-License-Identifier: GPL-3.0-or-later
"""Eyes: an opening in the skin that lids close, a white and an iris behind it, lashes around it.

The skin around an eye is a ring of its own, from the opening to an ellipse that lies on the head; a lid that closes
draws that ring together, so that no gap is left and nothing behind it can be seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from keywarp.core.studio.generator.drawn import MORPHS, REST, SIDED, Surface, disc, laid, ribbon
from keywarp.core.studio.generator.mesh import Array, Piece, plane_uv, smooth_step, unit
from keywarp.core.studio.generator.paint import Window
from keywarp.core.studio.generator.recipe import EyeChoice, Recipe

_COUNT = 41
"""Points along a lid."""
_INSET, _RADIUS = 0.034, 0.15
"""How deep the eyeball lies behind the skin, and how large it is."""
_LASH_LIFT, _FOLD_LIFT = 0.007, 0.005
_RINGS = 7
_POSES = (
    "eye_wink",
    "eye_happy_wink",
    "eye_surprised",
    "eye_relaxed",
    "eye_unimpressed",
    "eye_raised_lower_eyelid",
)
_U = -np.cos(np.linspace(0, np.pi, _COUNT))
"""Along a lid, from the inner corner (-1) to the outer one (1)."""


@dataclass(frozen=True)
class Lids:
    """Both lids of an eye in one pose: (N, 2) each, from the inner corner; x outward, y up, from the eye's middle."""

    upper: Array
    lower: Array
    thickness: float = 1.0
    """Of the lashes, against rest."""

    @property
    def loop(self) -> Array:
        """Around the opening."""
        return np.concatenate((self.upper, self.lower[::-1]))


def _arch(peak: float, power: float, box: float) -> Array:
    warped = np.where(peak < _U, (_U - peak) / (1 - peak), (_U - peak) / (1 + peak))
    return np.asarray(np.maximum(1 - np.abs(warped) ** power, 0) ** box)


def lids(eye: EyeChoice, pose: str = REST) -> Lids:
    """The lids in a pose of tha45's."""
    corner = eye.tilt * _U
    upper = corner + eye.rise * _arch(eye.peak, 2.2, eye.box)
    level = 0.30 * eye.rise + 0.5 * corner
    upper = upper - eye.heavy * np.maximum(upper - level, 0)
    lower = corner - eye.drop * _arch(0.1, 2.4, 0.62)
    wide = np.ones(_COUNT) * eye.half_width
    thickness = 1.0
    base = -0.50 * eye.drop
    if pose == "eye_wink":
        upper = lower = base + 0.7 * corner - 0.24 * eye.half_width * (1 - _U**2) + 0.008
        thickness = 0.85
    elif pose == "eye_happy_wink":
        upper = lower = base - 0.006 + 0.35 * corner + 0.42 * eye.half_width * (1 - np.abs(_U) ** 2.2)
        thickness = 0.9
    elif pose == "eye_surprised":
        upper, lower, wide = 1.17 * upper + 0.004, 1.12 * lower - 0.002, 1.03 * wide
        thickness = 0.9
    elif pose == "eye_relaxed":
        upper = upper - 0.40 * (upper - lower) * (1 + 0.25 * _U)
        lower = lower + 0.06 * (eye.rise + eye.drop) * (1 - _U**2)
    elif pose == "eye_unimpressed":
        level = 0.34 * eye.rise + 0.25 * corner
        upper = np.minimum(upper, level) + 0.10 * np.minimum(upper - level, 0)
    elif pose == "eye_raised_lower_eyelid":
        lower = lower + 0.46 * (upper - lower) * (1 - _U**2)
        upper = upper - 0.05 * (eye.rise + eye.drop) * (1 - _U**2)
    return Lids(np.stack((wide * _U, upper), 1), np.stack((wide * _U, lower), 1), thickness)


class Eye:
    """One eye on a head."""

    def __init__(self, recipe: Recipe, side: str, window: Window) -> None:
        self.choice, self.form, self.side, self._window = recipe.eyes, recipe.form, side, window
        self._sign = 1.0 if side == "left" else -1.0
        self._line = recipe.weight
        x, y = self._sign * self.choice.x, self.choice.y
        seen = self.form.place(np.array([[x, y]]))[0]
        step = 0.03
        beside = self.form.place(np.array([[x + step, y], [x - step, y]]))
        slope = (beside[0, 2] - beside[1, 2]) / (2 * step)
        inward = unit(np.array([[-slope * 0.8, 0.0, 1.0]]))[0]
        self.pivot = seen + inward * (_INSET + _RADIUS)
        """About which the eye turns."""
        self._poses = {REST: lids(self.choice)}
        self._poses |= {self._morph(stem): lids(self.choice, stem) for stem in _POSES}

    def _morph(self, stem: str) -> str:
        return MORPHS[f"{stem}_{self.side}"] if stem in SIDED else stem

    def _on_face(self, local: Array) -> Array:
        """From the eye's own plane to the picture's."""
        middle = np.array([self._sign * self.choice.x, self.choice.y])
        return np.asarray(local * np.array([self._sign, 1.0]) + middle)

    def _skin(self, lift: float) -> Surface:
        return lambda points: self.form.place(points, lift)

    def _ball(self, lift: float, behind: float) -> Surface:
        """The eyeball's surface, ``lift`` before it, and at least ``behind`` the skin."""

        def place(points: Array) -> Array:
            across, up = points[:, 0] - self.pivot[0], points[:, 1] - self.pivot[1]
            reach = np.sqrt(np.maximum((_RADIUS + lift) ** 2 - across**2 - up**2, 0.01 * _RADIUS**2))
            z = self.pivot[2] - reach
            skin = self.form.depth(points[:, 0], points[:, 1], 0.0)
            return np.stack((points[:, 0], points[:, 1], np.maximum(z, skin + behind)), 1)

        return place

    def pieces(self) -> list[Piece]:
        """Everything of the eye, in no order."""
        return [self._white(), self._iris(), self._shadow(), self._frame(), *self._lashes()]

    def hole(self) -> Array:
        """(N, 2): what of the head's own surface the ring replaces, in the picture's plane."""
        return self._on_face(self._outer(0.96))

    def lid_skin(self) -> Array:
        """(N, 2): where no shadow may be painted, since lids would stretch it."""
        return self._on_face(self._outer(1.0))

    def _outer(self, share: float = 1.0) -> Array:
        """The ellipse at which the ring meets the head, about the angles of the opening's points."""
        eye = self.choice
        middle = np.array([0.0, (eye.rise - eye.drop) / 2])
        loop = self._poses[REST].loop - middle
        angle = np.arctan2(loop[:, 1] / (eye.rise + eye.drop), loop[:, 0] / (2 * eye.half_width))
        # Corners belong to both lids; a little apart, so that the ring has no crease there.
        up, down = 1.5 * eye.rise + 0.014, 1.45 * eye.drop + 0.026
        tall = np.where(np.sin(angle) > 0, up, down)
        out = np.stack((1.34 * eye.half_width * np.cos(angle), tall * np.sin(angle)), 1) * share + middle
        out[:, 1] += eye.tilt * out[:, 0] / eye.half_width
        limit = 0.93 * self.form.half_width(out[:, 1] + eye.y) - eye.x
        out[:, 0] = np.minimum(out[:, 0], limit)
        return np.asarray(out)

    def _frame(self) -> Piece:
        share = np.linspace(0, 1, _RINGS)[:, None, None]
        outer = self._outer()[None]
        shapes = {
            name: self._on_face((pose.loop[None] * (1 - share) + outer * share).reshape(-1, 2)).reshape(
                _RINGS, -1, 2
            )
            for name, pose in self._poses.items()
        }
        flat = shapes[REST].reshape(-1, 2)
        piece = laid(
            "face", shapes, self._skin(0.0025), self.form.normals, plane_uv(flat, self._window), around=True
        )
        return piece

    def _white(self) -> Piece:
        eye = self.choice
        tall = (eye.rise + eye.drop) / 2
        middle = np.array([0.0, (eye.rise - eye.drop) / 2])
        # Its border comes up to the skin, so that nobody looks past it from aside.
        local = np.concatenate(
            (disc((1.08 * eye.half_width, 1.05 * tall)), disc((1.19 * eye.half_width, tall + 0.015))[-1:])
        )
        shapes = {REST: self._on_face((local + middle).reshape(-1, 2)).reshape(local.shape)}
        larger = local * np.array([1.03, 1.15]) + middle
        shapes[self._morph("eye_surprised")] = self._on_face(larger.reshape(-1, 2)).reshape(local.shape)
        flat = (local + middle).reshape(-1, 2)
        ball = self._ball(0.0, 0.016)

        def place(points: Array) -> Array:
            found = ball(points)
            rim = local.shape[1]
            found[-rim:, 2] = self.form.depth(points[-rim:, 0], points[-rim:, 1]) + 0.006
            return found

        uv = np.stack((flat[:, 0] / (2.6 * eye.half_width) + 0.5, 0.5 - (flat[:, 1]) / (4 * tall)), 1)
        return laid("eye white", shapes, place, self._front, uv, around=True)

    def _front(self, points: Array) -> Array:
        return np.repeat(np.array([[0.0, 0.0, -1.0]]), len(points), 0)

    def _iris(self) -> Piece:
        eye = self.choice
        radii = (eye.iris_wide, eye.iris_tall)
        middle = np.array([-0.06 * eye.half_width, -eye.drop + 0.99 * eye.iris_tall])
        local = disc(radii, 4, 36)
        shapes = {}
        for name, scale in (
            (REST, 1.0),
            (self._morph("iris_small"), 0.55),
            (self._morph("eye_surprised"), 0.86),
        ):
            placed = local * scale + middle
            shapes[name] = self._on_face(placed.reshape(-1, 2)).reshape(local.shape)
        unit_disc = local.reshape(-1, 2) / np.array(radii)
        # Light falls from one side, on both eyes.
        uv = np.stack(
            (0.5 + 0.5 * 0.97 * unit_disc[:, 0] * self._sign, 0.5 - 0.5 * 0.97 * unit_disc[:, 1]), 1
        )
        return laid(
            f"iris {self.side}",
            shapes,
            self._ball(0.005, 0.010),
            self._front,
            uv,
            around=True,
            bones={f"{self.side}_eye": 1.0},
        )

    def _shadow(self) -> Piece:
        """What the upper lid casts on the eye."""
        shapes = {}
        for name, pose in self._poses.items():
            low = pose.upper + 0.26 * (pose.lower - pose.upper)
            shapes[name] = self._on_face(np.concatenate((pose.upper, low))).reshape(2, _COUNT, 2)
        return laid("eye shadow", shapes, self._ball(0.012, 0.005), self._front)

    def _lashes(self) -> list[Piece]:
        upper, lower, fold = {}, {}, {}
        for name, pose in self._poses.items():
            upper[name] = self._upper_lash(pose)
            lower[name] = self._lower_lash(pose)
            fold[name] = self._fold(pose)
        found = [
            self._stroke("lash", upper, _LASH_LIFT),
            self._stroke("lower lash", lower, _LASH_LIFT - 0.0015),
        ]
        return [*found, self._stroke("eyelid line", fold, _FOLD_LIFT)] if self.choice.fold else found

    def _stroke(self, material: str, local: Mapping[str, Array], lift: float) -> Piece:
        shapes = {
            name: self._on_face(shape.reshape(-1, 2)).reshape(shape.shape) for name, shape in local.items()
        }
        return laid(material, shapes, self._skin(lift), self.form.normals)

    def _upper_lash(self, pose: Lids) -> Array:
        """(3, N, 2): a line that swells outward, and its wing beyond the corner."""
        eye = self.choice
        share = (_U + 1) / 2
        thick = eye.lash * pose.thickness * self._line * (0.22 + 0.78 * smooth_step(share, 0.0, 0.6))
        thick = thick * (0.35 + 0.65 * smooth_step(share, -0.02, 0.12))
        keep = _COUNT - 5  # the corner itself turns down too steeply for a stroke
        end = pose.upper[keep - 1]
        wing = eye.wing * eye.half_width
        step = np.linspace(0, 1, 9)[1:, None]
        falling = np.array([1.0, 0.15 - 2.2 * max(-eye.tilt, 0)]) * wing
        if pose.upper[_COUNT // 2, 1] < end[1]:
            falling = np.array([1.0, 0.30]) * wing
        beyond = end + falling * step + np.array([0.0, 0.18 * wing]) * step**2
        path = np.concatenate((pose.upper[:keep], beyond))
        fade = np.concatenate((thick[:keep], thick[-1] * (1 - step[:, 0]) ** 0.8))
        borders = ribbon(path, fade, lean=0.80)
        borders[0] += self._spikes(fade, pose)
        return np.stack((borders[0], borders.mean(0), borders[1]))

    def _spikes(self, thick: Array, pose: Lids) -> Array:
        """Single lashes that stand out of the line."""
        out = np.zeros((len(thick), 2))
        share = np.concatenate(((_U[: len(thick) - 8] + 1) / 2, np.linspace(1, 1.1, 9)[1:]))
        for k in range(self.choice.spikes):
            at = 0.93 - 0.085 * k
            bump = np.maximum(1 - np.abs(share - at) / 0.035, 0)
            size = self.choice.lash * (1.05 - 0.22 * k) * pose.thickness
            out += bump[:, None] * np.array([0.9 - 0.15 * k, 0.55 + 0.1 * k]) * size
        return out

    def _lower_lash(self, pose: Lids) -> Array:
        share = (_U + 1) / 2
        thick = self.choice.lower_lash * self._line * smooth_step(share, 0.22, 0.72)
        thick = thick * (1 - 0.6 * smooth_step(share, 0.9, 1.0)) + 1e-5
        borders = ribbon(pose.lower, thick, lean=0.15)
        return borders

    def _fold(self, pose: Lids) -> Array:
        """The crease above the lid, which follows it part of the way."""
        rest = self._poses[REST].upper
        keep = slice(5, _COUNT - 3)
        curve = (rest + 0.42 * (pose.upper - rest))[keep]
        gap = self.choice.lash * self._line + 0.010
        high = curve + np.array([0.004, gap])
        count = len(high)
        at = np.linspace(0, 1, count)
        thick = 0.0048 * self._line * np.sin(np.pi * np.clip(0.08 + 0.92 * at, 0, 1)) ** 0.7 + 1e-5
        return ribbon(high, thick)
