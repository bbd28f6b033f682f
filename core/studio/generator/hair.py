# SPDX-License-Identifier: GPL-3.0-or-later
"""Hair styles: a fringe, locks beside the face, the back, thin strands; ``tails`` has what is tied up."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from keywarp.core.studio.generator.chance import Chance
from keywarp.core.studio.generator.mesh import Array, Piece, along
from keywarp.core.studio.generator.recipe import Recipe
from keywarp.core.studio.generator.scalp import Shell, cap
from keywarp.core.studio.generator.strands import VARIANTS, lock, outline, profile
from keywarp.core.studio.generator.tails import tails

_STEPS = 16
_SHADOW = np.array([0.010, -0.026])
"""Where the fringe's shadow falls on the face."""


@dataclass
class Hair:
    """What makes up a character's hair."""

    pieces: list[Piece] = field(default_factory=list)
    shadows: list[Array] = field(default_factory=list)
    """Closed shapes, (N, 2), of the shadow on the face."""


def hair(recipe: Recipe) -> Hair:
    """All hair of a character."""
    dresser = _Dresser(recipe)
    made = Hair()
    made.pieces.append(cap(dresser.shell, 0.74))
    dresser.fringe(made)
    dresser.sides(made)
    dresser.back(made)
    dresser.strands(made)
    dresser.tufts(made)
    made.pieces += tails(recipe, dresser.shell)
    return made


class _Dresser:
    def __init__(self, recipe: Recipe) -> None:
        self.recipe, self.choice, self.form = recipe, recipe.hair, recipe.form
        self.shell = Shell(recipe.form, recipe.hair.volume)
        self._chance = Chance(recipe.seed, "locks")

    def _material(self, index: int) -> str:
        dyed = self.recipe.tones.streak is not None and index % 5 == 2
        return "hair streak" if dyed else "hair"

    def _variant(self) -> int:
        return self._chance.whole(VARIANTS)

    def fringe(self, made: Hair) -> None:
        """Locks over the forehead, drawn in the picture's plane."""
        choice, chance = self.choice, self._chance
        if choice.fringe == "up":
            self._combed_back(made)
            return
        count = (
            choice.locks + (3 if choice.fringe == "blunt" else 0) - (2 if choice.fringe == "curtain" else 0)
        )
        reach = float(self.form.half_width(choice.fringe_y)) + 0.012
        spacing = 2 * reach / (count - 1)
        order = sorted(range(count), key=lambda i: (i % 2, i))
        for layer, i in enumerate(order):
            x = -reach + spacing * i + chance.about(0, 0.22 * spacing)
            path2, wide, sharp = self._fringe_lock(x, i, reach, spacing)
            lift = 0.002 + 0.010 * (layer >= (count + 1) // 2) + 0.003 * chance.unit()
            # Roots lie under the hair of the crown.
            path = self.shell.laid(path2, lift - 0.035 * np.clip(1 - np.linspace(0, 5, _STEPS), 0, 1))
            width = profile(_STEPS, wide, 0.42, sharp, 0.5)
            made.shadows.append(outline(path2 + _SHADOW, width))
            made.pieces.append(
                lock(self._material(i), path, width, self._variant(), self.form, 0.010, start=0.03)
            )

    def _fringe_lock(self, x: float, index: int, reach: float, spacing: float) -> tuple[Array, float, float]:
        """Its path in the plane, (N, 2), half its width, and how pointed it is."""
        choice, chance = self.choice, self._chance
        style, part = choice.fringe, choice.parting
        low, sharp, wide = choice.fringe_y, choice.sharpness, 0.66 * spacing
        top = self.shell.top - 0.035
        away = (x - part) / reach
        lean = 0.0
        if style == "blunt":
            y, sharp, wide = (
                low - 0.006 + chance.about(0, 0.006) - 0.02 * (x / reach) ** 4,
                0.12,
                0.60 * spacing,
            )
        elif style == "soft":
            y = low + 0.012 - 0.035 * (x / reach) ** 2 + chance.about(0, 0.022)
            lean = 0.25 * spacing * np.sign(away) + chance.about(0, 0.4 * spacing)
        elif style == "spiky":
            y = low - 0.02 + 0.060 * (index % 2) + chance.about(0, 0.018)
            lean, sharp, wide = chance.about(0, 1.0 * spacing), 1.0, 0.80 * spacing
        elif style == "swept":
            side = 1.0 if part <= 0 else -1.0
            far = side * (x - part) / reach
            y = low + 0.03 - 0.055 * max(far, 0) - 0.02 * max(-far, 0) + chance.about(0, 0.015)
            lean, sharp, wide = side * 1.0 * spacing, max(sharp, 0.8), 0.76 * spacing
        elif style == "parted":
            y = low + 0.115 - 0.155 * min(abs(away), 1.0) + chance.about(0, 0.012)
            lean, wide = 0.9 * spacing * np.sign(away), 0.78 * spacing
        else:  # curtain
            y = low + 0.150 - 0.270 * min(abs(away), 1.0) ** 1.3 + chance.about(0, 0.012)
            lean, wide = 1.1 * spacing * np.sign(away), 0.85 * spacing
        root_x = part + 0.34 * (x - part)
        bow = 0.10 * (x - part)
        points = [
            [root_x, top - 0.10 * abs(root_x)],
            [root_x + 0.50 * (x - root_x) + 0.5 * bow, 0.86 - 0.10 * abs(x)],
            [x + 0.4 * bow, 0.45 * 0.86 + 0.55 * y],
            [x + lean, y],
        ]
        return along(points, _STEPS), wide, sharp

    def _combed_back(self, made: Hair) -> None:
        """No fringe: locks from the hairline up over the crown."""
        count = 17
        for i in range(count):
            x = -0.240 + 0.48 * i / (count - 1)
            line = 0.742 - 1.6 * x * x + self._chance.about(0, 0.007)
            up = [
                [x, line],
                [0.92 * x, 0.5 * line + 0.45],
                [0.70 * x, 0.96],
                [0.45 * x, self.shell.top - 0.04],
            ]
            path2 = along(up, _STEPS)
            lift = 0.004 + 0.006 * (i % 2) - 0.040 * np.clip(1 - np.linspace(0, 3, _STEPS), 0, 1)
            width = profile(_STEPS, 0.032, 0.22, 0.5, 0.4)
            piece = lock(
                self._material(i), self.shell.laid(path2, lift), width, self._variant(), self.form, 0.006
            )
            # Light lies where it lies on the other locks: counted from the crown.
            piece.uv[:, 1] = 0.5 * np.clip(1 - piece.uv[:, 1] / 0.5, 0, 1)
            made.pieces.append(piece)

    def tufts(self, made: Hair) -> None:
        """Locks whose ends stick out of the silhouette."""
        choice, chance = self.choice, self._chance
        for sign in (-1.0, 1.0):
            for k in range(choice.tufts):
                polar = 52 + 62 * (k + chance.unit()) / max(choice.tufts, 1)
                azimuth = sign * chance.within(80, 110)
                root, base = (np.asarray(self.shell.at(p, azimuth, 0.97)) for p in (polar - 34, polar - 8))
                end = np.asarray(self.shell.at(polar + 12, azimuth, 1.0))
                out = np.array([sign, -0.35, 0.0]) * chance.within(0.015, 0.065)
                path = along(np.array([root, base, end + out]), 14)
                width = profile(14, chance.within(0.022, 0.038), 0.25, 0.9, 0.5)
                made.pieces.append(
                    lock(self._material(k), path, width, self._variant(), self.form, 0.012, start=0.25)
                )

    def sides(self, made: Hair) -> None:
        """Locks that frame the face, before the ears."""
        choice, chance = self.choice, self._chance
        if choice.sides == "none":
            return
        for sign in (-1.0, 1.0):
            count = 2 if choice.sides in ("tapered", "long") else 1
            for k in range(count):
                end = choice.side_length + 0.10 * k + chance.about(0, 0.02)
                path, wide = self._side_path(sign, k, end)
                blunt = choice.sides == "hime"
                width = profile(22, wide, 0.25, 0.1 if blunt else choice.sharpness, 0.6 if blunt else 0.4)
                made.pieces.append(
                    lock(self._material(k + 2), path, width, self._variant(), self.form, 0.012, 0.34)
                )
                if k == 0:
                    made.shadows.append(outline(path[:, :2] + _SHADOW * 0.5 * np.array([-sign, 1.0]), width))

    def _side_path(self, sign: float, k: int, end: float) -> tuple[Array, float]:
        choice = self.choice
        edge = float(self.form.half_width(0.42))
        out = edge + 0.012 + 0.018 * k
        depth = -0.150 + 0.05 * k
        tall = self.shell.top
        points = [
            [sign * 0.08, tall - 0.16, -0.02],
            [sign * (0.72 * self.shell.wide), 0.86, -0.13],
            [sign * (out + 0.024), 0.66, depth - 0.02],
            [sign * (out + 0.016), 0.48, depth - 0.01],
        ]
        turn = choice.flip + 0.02
        if end > 0.20:
            points.append([sign * (out + 0.35 * turn), end, depth])
        else:
            points += [
                [sign * (out - 0.012), 0.28, depth],
                [sign * (out - 0.016 + 0.2 * turn), 0.12, depth - 0.01],
            ]
            for y in np.arange(-0.05, end, -0.16):
                swing = 0.03 * choice.wave * np.sin(y * 14)
                points.append([sign * (out - 0.03 + swing), y, depth - 0.03])
            points.append([sign * (out - 0.02 + 0.5 * turn), end, depth - 0.03])
        wide = 0.046 if choice.sides == "hime" else 0.036 - 0.006 * k
        return along(points, 22), wide

    def back(self, made: Hair) -> None:
        """Locks down the back; of those behind the neck the dark inside is seen."""
        choice, chance = self.choice, self._chance
        short = choice.back == "short"
        count = 15 if short else 13
        for i in range(count):
            azimuth = 94 + 172 * i / (count - 1)
            end = choice.back_length + chance.about(0, 0.03) + 0.05 * abs(np.cos(np.radians(azimuth)))
            path = self._back_path(azimuth + chance.about(0, 3), end)
            wide = self.shell.wide * np.radians(172 / (count - 1)) * 0.80
            width = profile(24, wide, 0.35, choice.sharpness, 0.4)
            behind = 112 < azimuth < 248
            material = "hair back" if behind else self._material(i + 1)
            made.pieces.append(lock(material, path, width, self._variant(), self.form, 0.016, 0.30))

    def _back_path(self, azimuth: float, end: float) -> Array:
        choice = self.choice
        # Roots lie under the hair of the crown.
        grown = ((22.0, 0.88), (55.0, 0.985), (85.0, 0.985), (108.0, 0.985))
        upper = [self.shell.at(angle, azimuth, grow) for angle, grow in grown]
        sine, cosine = np.sin(np.radians(azimuth)), np.cos(np.radians(azimuth))
        points = [np.asarray(point) for point in upper if point[1] > end + 0.06]
        base = points[-1]
        narrow = {"short": 0.86, "bob": 1.0, "medium": 0.98, "long": 1.02}[choice.back]
        drop = base[1] - end
        steps = max(int(drop / 0.14), 2)
        for step in range(1, steps + 1):
            share = step / steps
            y = base[1] - drop * share
            swing = 0.030 * choice.wave * np.sin(y * 13 + azimuth) * share
            out = (1 + (narrow - 1) * share) * self.shell.wide + swing + choice.flip * share**4
            deep = -cosine * (self.shell.deep(-1.0) * (0.98 - 0.08 * share) + choice.flip * share**4)
            points.append(np.array([sine * out, y, 0.05 + float(deep) + 0.02 * share]))
        return along(np.array(points), 24)

    def strands(self, made: Hair) -> None:
        """Single thin strands, and tufts that stand up from the crown."""
        choice, chance = self.choice, self._chance
        for k in range(choice.ahoge):
            side = -1.0 if chance.happens(0.5) else 1.0
            height, reach = chance.within(0.07, 0.14), chance.within(0.05, 0.14)
            x = chance.about(0, 0.03)
            top = self.shell.top - 0.02
            points = [
                [x, top, -0.04],
                [x + 0.1 * side * reach, top + 0.6 * height, -0.08],
                [x + 0.6 * side * reach, top + height, -0.12],
                [x + side * reach, top + height * (0.55 - 0.3 * k), -0.14],
            ]
            width = profile(14, 0.016, 0.5, 0.9, 0.35)
            facing = np.repeat(np.array([[0.0, 0.0, -1.0]]), 14, 0)
            made.pieces.append(lock("hair", along(points, 14), width, self._variant(), facing=facing))
        for _ in range(0 if choice.fringe == "up" else choice.strands):
            x = chance.about(0, 0.22)
            y = choice.fringe_y + chance.about(0.0, 0.03)
            points2 = along(
                [[0.4 * x, 0.97], [0.85 * x, 0.84], [1.05 * x, 0.68], [x + chance.about(0, 0.05), y]], 14
            )
            path = self.shell.laid(points2, 0.020)
            made.pieces.append(
                lock("hair", path, profile(14, 0.0060, 0.8, 1.0, 0.2), self._variant(), self.form, 0.012, 0.6)
            )
        for sign in (-1.0, 1.0):
            if chance.happens(0.55):
                end = chance.within(0.05, 0.30)
                edge = self.shell.wide
                points = [
                    [sign * 0.15, 0.95, 0.0],
                    [sign * (edge + 0.004), 0.70, 0.02],
                    [sign * (edge + 0.006), 0.45, 0.02],
                    [sign * (edge - 0.010 + chance.within(0.0, 0.05)), end, 0.02],
                ]
                made.pieces.append(
                    lock("hair", along(points, 16), profile(16, 0.018, 0.4, 0.9, 0.5), self._variant())
                )
