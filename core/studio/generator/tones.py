# SPDX-License-Identifier: GPL-3.0-or-later
"""Colours that go together: of skin, hair, eyes and clothes. Encoded sRGB in [0, 1]."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

from keywarp.core.studio.generator.chance import Chance

Rgb = tuple[float, float, float]


def hsv(hue: float, saturation: float, value: float) -> Rgb:
    """A colour from a hue in degrees."""
    return colorsys.hsv_to_rgb(hue / 360 % 1, min(max(saturation, 0), 1), min(max(value, 0), 1))


def mixed(a: Rgb, b: Rgb, share: float) -> Rgb:
    """``share`` of b, the rest of a."""
    return (a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share, a[2] + (b[2] - a[2]) * share)


def shaded(colour: Rgb, depth: float = 1.0) -> Rgb:
    """As painters shade: darker, fuller, and turned towards violet."""
    hue, saturation, value = colorsys.rgb_to_hsv(*colour)
    turn = ((270 - hue * 360 + 180) % 360 - 180) * 0.07 * depth
    fuller = saturation + (1 - saturation) * (0.10 + 0.12 * saturation) * depth
    return hsv(hue * 360 + turn, fuller, value * (1 - 0.22 * depth))


def lit(colour: Rgb, share: float = 0.5) -> Rgb:
    """Lighter, and a little warmer."""
    return mixed(colour, (1.0, 0.985, 0.96), share)


@dataclass(frozen=True)
class Tones:
    """A character's colours."""

    skin: Rgb
    hair: Rgb
    tip: Rgb
    """Of the hair's ends; the same as ``hair`` where they are not dyed."""
    streak: Rgb | None
    """Of single locks."""
    brow: Rgb
    iris: Rgb
    cloth: Rgb
    cloth2: Rgb
    """Of collars, ties and sleeves."""
    accent: Rgb
    """Of ribbons and ornaments."""

    @property
    def ink(self) -> Rgb:
        """Of the lines of the face: what a drawing in these colours would be inked in."""
        return mixed((0.22, 0.11, 0.12), shaded(self.hair, 2.0), 0.25)


_SKINS = (
    ((0.998, 0.930, 0.885), 4.0),
    ((0.996, 0.905, 0.850), 5.0),
    ((0.985, 0.868, 0.790), 3.0),
    ((0.930, 0.770, 0.660), 1.0),
    ((0.800, 0.610, 0.490), 0.7),
    ((0.640, 0.450, 0.350), 0.5),
)
_HAIRS = (
    # hue, its spread, saturation, value, weight
    ((20, 8, (0.35, 0.62), (0.28, 0.48)), 4.0),  # browns
    ((26, 8, (0.32, 0.55), (0.50, 0.72)), 3.0),  # light browns
    ((44, 7, (0.36, 0.58), (0.86, 0.98)), 3.5),  # blonds
    ((230, 30, (0.10, 0.32), (0.17, 0.27)), 3.5),  # blacks
    ((225, 40, (0.03, 0.12), (0.80, 0.94)), 2.5),  # silver and white
    ((342, 12, (0.28, 0.50), (0.86, 0.98)), 2.5),  # pinks
    ((8, 9, (0.58, 0.78), (0.62, 0.86)), 2.0),  # reds
    ((24, 6, (0.60, 0.76), (0.82, 0.94)), 1.5),  # oranges
    ((212, 14, (0.38, 0.62), (0.50, 0.84)), 2.5),  # blues
    ((190, 12, (0.28, 0.48), (0.70, 0.88)), 1.5),  # aquas
    ((268, 16, (0.26, 0.48), (0.50, 0.80)), 2.0),  # purples
    ((150, 22, (0.24, 0.44), (0.50, 0.78)), 1.2),  # greens
)
_IRISES = (
    ((212, 14, (0.60, 0.85), (0.70, 0.92)), 4.0),
    ((150, 22, (0.50, 0.75), (0.52, 0.76)), 2.5),
    ((26, 10, (0.62, 0.82), (0.55, 0.78)), 3.5),
    ((45, 6, (0.70, 0.88), (0.82, 0.95)), 1.8),
    ((352, 10, (0.62, 0.82), (0.68, 0.86)), 2.2),
    ((275, 16, (0.45, 0.68), (0.64, 0.84)), 2.2),
    ((186, 12, (0.52, 0.76), (0.64, 0.84)), 1.8),
    ((225, 20, (0.10, 0.25), (0.45, 0.65)), 0.8),
)
_CLOTHES: tuple[tuple[Rgb, Rgb, Rgb], ...] = (
    ((0.19, 0.23, 0.37), (0.96, 0.96, 0.97), (0.80, 0.22, 0.26)),
    ((0.96, 0.95, 0.94), (0.24, 0.33, 0.52), (0.86, 0.30, 0.34)),
    ((0.95, 0.94, 0.92), (0.34, 0.27, 0.30), (0.48, 0.62, 0.80)),
    ((0.24, 0.25, 0.29), (0.93, 0.92, 0.93), (0.90, 0.70, 0.28)),
    ((0.56, 0.25, 0.29), (0.96, 0.92, 0.86), (0.20, 0.22, 0.30)),
    ((0.43, 0.56, 0.70), (0.97, 0.97, 0.98), (0.95, 0.78, 0.42)),
    ((0.82, 0.88, 0.80), (0.42, 0.54, 0.46), (0.92, 0.58, 0.52)),
    ((0.94, 0.76, 0.78), (0.99, 0.97, 0.96), (0.60, 0.36, 0.46)),
    ((0.33, 0.42, 0.38), (0.93, 0.89, 0.80), (0.80, 0.54, 0.26)),
    ((0.80, 0.66, 0.46), (0.98, 0.95, 0.90), (0.36, 0.44, 0.58)),
    ((0.47, 0.42, 0.60), (0.93, 0.91, 0.96), (0.95, 0.80, 0.50)),
    ((0.97, 0.85, 0.52), (0.99, 0.98, 0.94), (0.40, 0.48, 0.66)),
    ((0.28, 0.52, 0.54), (0.95, 0.97, 0.95), (0.94, 0.60, 0.44)),
    ((0.86, 0.42, 0.36), (0.98, 0.95, 0.92), (0.26, 0.30, 0.42)),
    ((0.70, 0.73, 0.78), (0.30, 0.33, 0.42), (0.74, 0.34, 0.42)),
    ((0.36, 0.30, 0.27), (0.90, 0.84, 0.74), (0.62, 0.20, 0.22)),
)


def _drawn(
    chance: Chance,
    kinds: tuple[tuple[tuple[float, float, tuple[float, float], tuple[float, float]], float], ...],
) -> Rgb:
    hue, spread, saturation, value = chance.weighed(kinds)
    return hsv(chance.about(hue, spread), chance.within(*saturation), chance.within(*value))


def tones(chance: Chance) -> Tones:
    """A palette."""
    skin = chance.weighed(_SKINS)
    hair = _drawn(chance, _HAIRS)
    iris = _drawn(chance, _IRISES)
    other = _drawn(chance, _HAIRS)
    dyed, streaked = chance.happens(0.13), chance.happens(0.07)
    blend = chance.within(0.55, 0.95)
    cloth, cloth2, accent = chance.pick(_CLOTHES)
    if chance.happens(0.25):
        accent = mixed(iris, (1, 1, 1), 0.1)
    shift = chance.about(0, 14)
    cloth, cloth2, accent = (_turned(each, shift) for each in (cloth, cloth2, accent))
    return Tones(
        skin=skin,
        hair=hair,
        tip=mixed(hair, other, blend) if dyed else hair,
        streak=other if streaked else None,
        brow=mixed(shaded(hair, 1.1), (0.30, 0.20, 0.20), 0.25),
        iris=iris,
        cloth=cloth,
        cloth2=cloth2,
        accent=accent,
    )


def _turned(colour: Rgb, degrees: float) -> Rgb:
    hue, saturation, value = colorsys.rgb_to_hsv(*colour)
    return hsv(hue * 360 + degrees, saturation, value)
