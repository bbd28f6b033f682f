# SPDX-License-Identifier: GPL-3.0-or-later
"""Hair that is tied up: tails, buns, drills."""

from __future__ import annotations

import numpy as np

from keywarp.core.studio.generator.chance import Chance
from keywarp.core.studio.generator.mesh import Array, Piece, along, dome, tube, unit
from keywarp.core.studio.generator.recipe import Recipe
from keywarp.core.studio.generator.scalp import Shell
from keywarp.core.studio.generator.strands import VARIANTS, hair_bones, lock, profile


def tails(recipe: Recipe, shell: Shell) -> list[Piece]:
    """What is tied up of a character's hair, with what ties it."""
    kind = recipe.hair.tails
    if kind == "none":
        return []
    tying = _Tying(recipe, shell)
    one = -1.0 if tying.chance.happens(0.5) else 1.0
    if kind == "pony":
        return tying.pony(one)
    if kind == "side":
        return tying.tail(one)
    made = {
        "twin": tying.tail,
        "low": tying.low,
        "buns": tying.bun,
        "drills": tying.drill,
        "braids": tying.braid,
    }[kind]
    return [piece for sign in (-1.0, 1.0) for piece in made(sign)]


class _Tying:
    def __init__(self, recipe: Recipe, shell: Shell) -> None:
        self.recipe, self.shell = recipe, shell
        self.chance = Chance(recipe.seed, "tails")
        self.length = self.chance.within(0.55, 1.15)
        self.wave = recipe.hair.wave
        self.bulge = self.chance.within(0.055, 0.085)
        self.lift = self.chance.within(0.02, 0.10)

    def _root(self, sign: float, height: float, azimuth: float = 96.0) -> Array:
        polar = 80 - 45 * height
        return np.asarray(self.shell.at(polar, sign * azimuth, 1.02))

    def _bundle(self, path: Array, radius: float, count: int = 7, sharp: float = 0.7) -> list[Piece]:
        """Locks about a path, as thick as a tail is."""
        steps = len(path)
        share = np.linspace(0, 1, steps)
        swell = radius * np.sin(np.pi * np.clip(0.16 + 0.68 * share**0.75, 0, 1)) ** 0.8
        ahead = unit(np.gradient(path, axis=0))
        side = unit(np.cross(ahead, np.array([0.0, 0.0, 1.0])) + np.array([1e-6, 0, 0]))
        up = np.cross(side, ahead)
        found = []
        for k in range(count):
            angle = 2 * np.pi * k / count + 0.3
            direction = side * np.cos(angle) + up * np.sin(angle)
            swing = self.wave * 0.03 * np.sin(share * 9 + k)[:, None] * side * share[:, None]
            shift = np.array([0.0, self.chance.about(0, 0.05), 0.0]) * share[:, None]
            own = path + direction * swell[:, None] * 0.72 + swing + shift
            width = profile(steps, radius * 0.80, 0.30, sharp, 0.40)
            found.append(
                lock(
                    "hair", own, width, self.chance.whole(VARIANTS), None, thickness=0.5,
                    bones=hair_bones(own.repeat(10, 0)), start=0.30, facing=direction,
                )
            )  # fmt: skip
        return found

    def _band(self, at: Array, direction: Array, radius: float = 0.042) -> Piece:
        """What a tail is tied with."""
        helper = unit(np.cross(direction, np.array([0.0, 0.3, 1.0]))[None])[0]
        other = np.cross(direction, helper)
        angle = np.linspace(0, 2 * np.pi, 20, endpoint=False)[:, None]
        ring = at + radius * (np.cos(angle) * helper + np.sin(angle) * other)
        return tube("ribbon", ring, 0.016, 8, closed=True)

    def tail(self, sign: float) -> list[Piece]:
        """A tail at the side of the head."""
        root = self._root(sign, self.recipe.hair.tail_height)
        out = np.array([sign, 0.0, 0.0])
        end_y = root[1] - self.length
        points = [
            root - 0.05 * out,
            root + 0.07 * out + np.array([0, self.lift, 0.0]),
            root + 0.17 * out + np.array([0, -0.06, 0.01]),
            np.array([root[0] + 0.20 * sign, root[1] - 0.40 * self.length, 0.06]),
            np.array([root[0] + 0.13 * sign, root[1] - 0.75 * self.length, 0.06]),
            np.array([root[0] + (0.10 + self.recipe.hair.flip) * sign, end_y, 0.05]),
        ]
        path = along(np.array(points), 26)
        return [*self._bundle(path, self.bulge), self._band(path[3], unit((path[4] - path[2])[None])[0])]

    def low(self, sign: float) -> list[Piece]:
        """A tail that lies before the shoulder."""
        x = sign * (self.shell.wide - 0.05)
        points = [[0.80 * x, 0.34, 0.16], [x, 0.16, 0.03], [x, 0.0, -0.10], [x - 0.02 * sign, -0.25, -0.17]]
        points += [
            [x - 0.03 * sign, -0.2 - 0.45 * self.length, -0.20],
            [x - 0.02 * sign, -0.2 - 0.8 * self.length, -0.18],
        ]
        path = along(points, 24)
        return [
            *self._bundle(path, self.bulge * 0.85),
            self._band(path[6], unit((path[7] - path[5])[None])[0], 0.034),
        ]

    def braid(self, sign: float) -> list[Piece]:
        """A braid that lies before the shoulder: strands that cross, one below the other."""
        x = sign * (self.shell.wide - 0.045)
        end = -0.2 - 0.6 * self.length
        points = [[0.86 * x, 0.30, 0.14], [x, 0.14, 0.02], [x, 0.0, -0.10], [x - 0.02 * sign, -0.2, -0.17]]
        path = along(np.array([*points, [x - 0.03 * sign, end, -0.20]]), 60)
        length = np.concatenate(([0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))))
        count = int(length[-1] / 0.052)
        angle = np.linspace(0, 2 * np.pi, 22, endpoint=False)
        found = []
        for k in range(count):
            at = np.array([np.interp(length[-1] * (k + 0.5) / count, length, path[:, i]) for i in range(3)])
            turn = 1.0 if k % 2 else -1.0
            size, lean = 0.040 * (1 - 0.35 * k / count), turn * np.radians(52)
            ring = np.stack((1.28 * np.cos(angle), 0.72 * np.sin(angle)), 1) * size
            flat = ring @ np.array([[np.cos(lean), np.sin(lean)], [-np.sin(lean), np.cos(lean)]])
            rim = at + np.stack(
                (flat[:, 0] + turn * 0.36 * size, flat[:, 1], np.full(22, -0.004 * (k % 2))), 1
            )
            knot = dome("hair", rim, rim.mean(0), (0, 0, -0.75 * size), 4)
            knot.uv = np.stack((0.02 + 0.105 * (1 + np.tile(np.sin(angle), 10)), np.full(220, 0.40)), 1)
            knot.bones = hair_bones(knot.positions)
            found.append(knot)
        tassel = path[-1] + np.array([[0, 0.02, 0], [0, -0.05, -0.002], [0.008 * sign, -0.13, 0.0]])
        facing = np.repeat(np.array([[0.0, 0.0, -1.0]]), 10, 0)
        width = profile(10, 0.030, 0.6, 0.8, 0.4)
        end_lock = lock("hair", along(tassel, 10), width, 1, None, thickness=0.5, start=0.4, facing=facing)
        return [*found, end_lock, self._band(path[-1], np.array([0.0, 1.0, 0.0]), 0.022)]

    def pony(self, sign: float) -> list[Piece]:
        """A tail from high on the back, which swings out to a side."""
        points = [
            [0.0, 0.86, 0.34],
            [0.06 * sign, 0.98, 0.44],
            [0.20 * sign, 0.98, 0.50],
            [0.34 * sign, 0.74, 0.50],
        ]
        points += [[0.40 * sign, 0.40, 0.46], [0.38 * sign, 0.74 - self.length, 0.44]]
        path = along(points, 26)
        return [
            *self._bundle(path, self.bulge * 1.2, 8),
            self._band(path[3], unit((path[4] - path[2])[None])[0], 0.05),
        ]

    def bun(self, sign: float) -> list[Piece]:
        """A bun on the side of the head."""
        middle = self._root(sign, self.recipe.hair.tail_height + 0.25, 80.0) * np.array([1.08, 1.04, 1.0])
        radius = 0.085 + 0.5 * (self.bulge - 0.055)
        angle = np.linspace(0, 2 * np.pi, 32, endpoint=False)
        rim = np.stack((np.cos(angle), np.sin(angle), np.zeros(32)), 1) * radius
        ball = dome("hair", middle + rim, middle, (0, 0, -0.9 * radius), 6)
        # One lock, wound up: its strands run across, its light lies above.
        flat = (ball.positions - middle) / radius
        ball.uv = np.stack((0.03 + 0.10 * (1 + flat[:, 0] * 0.9), 0.27 + 0.16 * (0.45 - flat[:, 1])), 1)
        direction = unit((middle - np.array([0.0, 0.55, 0.05]))[None])[0]
        return [ball, self._band(middle - direction * 0.8 * radius, direction, 0.055)]

    def drill(self, sign: float) -> list[Piece]:
        """A curl like a drill."""
        root = self._root(sign, self.recipe.hair.tail_height)
        turns, steps = 4.5 * self.length + 1, 90
        share = np.linspace(0, 1, steps)
        drop = 0.72 * self.length
        radius = 0.075 * (1 - 0.75 * share**1.6) * np.clip(share * 9 + 0.35, 0, 1)
        angle = sign * 2 * np.pi * turns * share
        x = root[0] + sign * (0.075 + 0.05 * share) + radius * np.cos(angle)
        z = root[2] - 0.02 + radius * np.sin(angle)
        path = np.stack((x, root[1] + 0.01 - drop * share, z), 1)
        facing = np.stack((np.cos(angle), np.zeros(steps), np.sin(angle)), 1)
        width = 0.052 * (1 - 0.7 * share**2) * np.clip((1 - share) * 6, 0.08, 1)
        curl = lock(
            "hair", path, width, self.chance.whole(VARIANTS), None, thickness=0.3, start=0.1, facing=facing
        )
        curl.uv[:, 1] = np.repeat(0.15 + 0.25 * np.abs((share * turns * 2) % 2 - 1), 10)
        return [curl, self._band(root, np.array([sign, -0.3, 0.0]), 0.04)]
