# SPDX-License-Identifier: GPL-3.0-or-later
"""The mouth: a slit in the skin that opens onto a dark inside with teeth and a tongue."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keywarp.core.studio.generator.drawn import MORPHS, REST, Surface, disc, laid, ribbon
from keywarp.core.studio.generator.mesh import Array, Piece, plane_uv
from keywarp.core.studio.generator.paint import Window, tapered
from keywarp.core.studio.generator.recipe import MouthChoice, Recipe

_COUNT = 33
_U = -np.cos(np.linspace(0, np.pi, _COUNT))
_RINGS = 7
_POSES = (
    *("mouth_aaa", "mouth_iii", "mouth_uuu", "mouth_eee", "mouth_ooo", "mouth_delta", "mouth_smirk"),
    *(f"mouth_{what}_corner_{side}" for what in ("lowered", "raised") for side in ("left", "right")),
)


@dataclass(frozen=True)
class Lips:
    """Both borders of the opening, (N, 2) each, from the picture's left to its right; and how far teeth show."""

    upper: Array
    lower: Array
    teeth: float

    @property
    def loop(self) -> Array:
        """Around the opening."""
        return np.concatenate((self.upper, self.lower[::-1]))


def lips(choice: MouthChoice, pose: str = REST) -> Lips:
    """The lips in a pose, about the mouth's middle."""
    wide, line = choice.half_width, _line(choice)
    if pose in _OPEN:
        scale, up, down, upper_power, lower_power, teeth = _OPEN[pose]
        x = wide * scale * _U
        if pose == "mouth_uuu" or pose == "mouth_ooo":
            x = np.minimum(wide, 0.044) * scale * _U
        corner = 0.35 * line
        upper = corner + up * (1 - np.abs(_U) ** upper_power)
        lower = corner - down * (1 - np.abs(_U) ** lower_power) ** (1 / 1.6)
        return Lips(np.stack((x, upper), 1), np.stack((x, lower), 1), teeth)
    x, y = wide * _U, line.copy()
    if pose == "mouth_smirk":
        x, y = 1.22 * x, line * 0.4 + 0.020 * np.abs(_U) ** 2.2 - 0.004
    for what, sign in (("lowered", -1.0), ("raised", 1.0)):
        for side, which in (("left", 1.0), ("right", -1.0)):
            if pose == f"mouth_{what}_corner_{side}":
                own = np.clip(_U * which, 0, 1)
                y = y + sign * 0.021 * own**1.5
                x = x + 0.006 * which * own * (1 if sign > 0 else 0)
    both = np.stack((x, y), 1)
    return Lips(both, both, 0.0)


_OPEN = {
    # width, upper lip's rise, lower lip's fall, their powers, how far teeth come down
    "mouth_aaa": (0.98, 0.012, 0.056, 2.2, 2.6, 0.013),
    "mouth_iii": (1.18, 0.008, 0.019, 3.0, 3.0, 0.011),
    "mouth_uuu": (0.42, 0.011, 0.016, 2.0, 2.0, 0.0),
    "mouth_eee": (1.08, 0.010, 0.031, 2.4, 2.6, 0.010),
    "mouth_ooo": (0.62, 0.018, 0.042, 2.0, 2.0, 0.0),
    "mouth_delta": (1.02, 0.032, 0.020, 1.15, 6.0, 0.009),
}


def _line(choice: MouthChoice) -> Array:
    """The closed mouth: y over its width."""
    plain = choice.curve * (np.abs(_U) ** 2 - 0.4)
    cat = 0.013 * (np.abs(np.sin(np.pi * _U)) * -1.0 + 0.45) * (1 - 0.15 * _U**2)
    return np.asarray(plain * (1 - choice.cat) + cat * choice.cat)


class Mouth:
    """A mouth on a head."""

    def __init__(self, recipe: Recipe, window: Window) -> None:
        self.choice, self.form, self._window = recipe.mouth, recipe.form, window
        self._weight = recipe.weight
        self._poses = {REST: lips(self.choice)} | {MORPHS[pose]: lips(self.choice, pose) for pose in _POSES}

    def _on_face(self, local: Array) -> Array:
        return np.asarray(local + np.array([0.0, self.choice.y]))

    def _behind(self, depth: float) -> Surface:
        return lambda points: self.form.place(points, -depth)

    def _outer(self, share: float = 1.0) -> Array:
        angle = np.concatenate((np.linspace(np.pi, 0, _COUNT), np.linspace(0, -np.pi, _COUNT)))
        wide = max(1.3 * self.choice.half_width, 0.058) + 0.014
        down = min(0.075, self.choice.y - 0.132)
        tall = np.where(np.sin(angle) >= 0, 0.046, down)
        out = np.stack((wide * np.cos(angle), tall * np.sin(angle)), 1) * share
        limit = 0.9 * self.form.half_width(out[:, 1] + self.choice.y)
        out[:, 0] = np.clip(out[:, 0], -limit, limit)
        return np.asarray(out)

    def hole(self) -> Array:
        """(N, 2): what of the head's own surface the ring replaces, in the picture's plane."""
        return self._on_face(self._outer(0.95))

    def pieces(self) -> list[Piece]:
        """Everything of the mouth."""
        found = [self._frame(), self._inside(), self._teeth(), self._tongue(), *self._lines()]
        return [*found, self._fang()] if self.choice.fang else found

    def _frame(self) -> Piece:
        share = np.linspace(0, 1, _RINGS)[:, None, None]
        outer = self._outer()[None]
        shapes = {
            name: self._on_face(pose.loop[None] * (1 - share) + outer * share)
            for name, pose in self._poses.items()
        }
        uv = plane_uv(shapes[REST].reshape(-1, 2), self._window)
        return laid("face", shapes, self._behind(-0.0025), self.form.normals, uv, around=True)

    def _inside(self) -> Piece:
        outer = self._outer(0.96)
        rings = np.linspace(0, 1, 4)[:, None, None] * outer[None]
        uv = np.stack((0.5 + rings[..., 0].reshape(-1) * 5, 0.5 - rings[..., 1].reshape(-1) * 7), 1)
        # Moves a very little with the jaw, so that it counts as a part of the mouth.
        shapes = {
            REST: self._on_face(rings),
            MORPHS["mouth_aaa"]: self._on_face(rings + np.array([0.0, -0.004])),
        }
        return laid("mouth inside", shapes, self._behind(0.024), self.form.normals, uv, around=True)

    def _teeth(self) -> Piece:
        shapes = {}
        for name, pose in self._poses.items():
            shown = pose.teeth if pose.teeth else -0.006
            arch = pose.upper * np.array([0.94, 1.0])
            shapes[name] = self._on_face(
                np.stack((arch + np.array([0.0, 0.012]), arch - np.array([0.0, shown])))
            )
        return laid("teeth", shapes, self._behind(0.012), self.form.normals)

    def _tongue(self) -> Piece:
        shapes = {}
        base = disc((1.0, 1.0), 3, 28)
        for name, pose in self._poses.items():
            middle = pose.lower[_COUNT // 2]
            open_by = float(pose.upper[_COUNT // 2, 1] - middle[1])
            wide = 0.56 * float(pose.lower[-1, 0])
            tall = 0.30 * open_by + 0.004
            shapes[name] = self._on_face(base * np.array([wide, tall]) + middle + np.array([0.0, 0.3 * tall]))
        return laid("tongue", shapes, self._behind(0.016), self.form.normals, around=True)

    def _lines(self) -> list[Piece]:
        thick = self.choice.line * self._weight
        upper, lower = {}, {}
        for name, pose in self._poses.items():
            upper[name] = self._on_face(ribbon(pose.upper, tapered(_COUNT, thick, 0.12, 0.12) + 0.0012, 0.5))
            lower[name] = self._on_face(
                ribbon(pose.lower, tapered(_COUNT, 0.7 * thick, 0.2, 0.2) + 0.0008, 0.5)
            )
        place = self._behind(-0.007)
        return [
            laid("mouth line", upper, place, self.form.normals),
            laid("mouth line", lower, self._behind(-0.0062), self.form.normals),
        ]

    def _fang(self) -> Piece:
        """A pointed tooth at one side of an open mouth."""
        shapes = {}
        at = int(0.66 * _COUNT)
        for name, pose in self._poses.items():
            root, beside = pose.upper[at], pose.upper[at + 3]
            length = 0.017 if pose.teeth else -0.002
            tip = (root + beside) / 2 - np.array([0.0, length])
            shapes[name] = self._on_face(np.array([[root, beside], [tip, tip + np.array([1e-4, 0.0])]]))
        return laid("teeth", shapes, self._behind(0.009), self.form.normals)
