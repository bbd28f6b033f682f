# SPDX-License-Identifier: GPL-3.0-or-later
"""Paintings of the eye: the iris with its pupil and lights, and the white."""

from __future__ import annotations

import numpy as np

from keywarp.core.studio.figure import Texture
from keywarp.core.studio.generator.paint import Painting
from keywarp.core.studio.generator.recipe import EyeChoice
from keywarp.core.studio.generator.tones import Rgb, lit, mixed, shaded

_WINDOW = (-1.0, 1.0, -1.0, 1.0)
#: x, y, radii of lights, in radii of the iris; the first is the key light.
_LIGHTS: tuple[tuple[tuple[float, float, float, float], ...], ...] = (
    ((-0.34, 0.44, 0.25, 0.24), (0.38, -0.44, 0.13, 0.11)),
    ((-0.32, 0.40, 0.30, 0.21), (0.30, -0.52, 0.11, 0.11), (0.44, -0.26, 0.06, 0.06)),
    ((-0.36, 0.36, 0.20, 0.30), (0.34, 0.40, 0.10, 0.10)),
    ((-0.30, 0.46, 0.28, 0.26), (0.36, -0.36, 0.18, 0.16), (-0.42, -0.40, 0.08, 0.08)),
    ((-0.38, 0.42, 0.19, 0.19),),
)


def iris(eye: EyeChoice, colour: Rgb, size: int) -> Texture:
    """A painting of an iris that fills its square, (size, size, 4)."""
    dark, deep = shaded(colour, 2.1), mixed(shaded(colour, 2.6), (0.10, 0.06, 0.12), 0.45)
    art = Painting(_WINDOW, size / 2, deep)
    art.spot(0, 0, (0.91, 0.92), dark, 1.0, 0.05)
    x, y = art.places()
    reach = np.sqrt(x * x + y * y)
    # Dark under the lid, its own colour in the middle, bright at the bottom.
    up = np.clip((0.55 - y) / 1.25, 0, 1) * (reach < 0.90)
    soft = np.clip((0.90 - reach) / 0.10, 0, 1)
    art.blend(up * soft, colour, 1.0)
    bright = lit(mixed(colour, (1.0, 1.0, 0.92), 0.12), 0.55)
    low = np.clip((0.86 - np.sqrt((x / 0.92) ** 2 + ((y + 0.30) / 0.72) ** 2)) / 0.5, 0, 1)
    art.blend(low * soft * np.clip((0.10 - y) / 0.7, 0, 1), bright, eye.glow)
    angle = np.arctan2(y, x)
    rays = np.clip(np.cos(angle * 23) * 0.5 + np.cos(angle * 37 + 1) * 0.5, 0, 1)
    art.blend(rays * soft * np.clip((reach - 0.45) / 0.3, 0, 1) * (y < 0.25), shaded(colour, 1.4), 0.18)
    art.spot(0, 0.02, (eye.pupil * 0.92, eye.pupil), mixed(deep, (0.03, 0.02, 0.05), 0.5), 1.0, 0.10)
    # The upper lid's shade on the ball.
    art.blend(np.clip((y - 0.30) / 0.55, 0, 1) * (reach < 0.98), deep, 0.75)
    for i, (cx, cy, wide, tall) in enumerate(_LIGHTS[eye.highlights]):
        art.spot(cx, cy, (wide, tall), (1.0, 1.0, 1.0) if i == 0 else lit(colour, 0.86), 1.0, 0.14)
    return art.texture()


def white(size: int) -> Texture:
    """The eye's white: cool, and a little darker under the lid."""
    art = Painting(_WINDOW, size / 2, (0.985, 0.985, 0.99))
    _, y = art.places()
    art.blend(np.broadcast_to(np.clip((y - 0.0) / 0.6, 0, 1), (size, size)), (0.80, 0.80, 0.88), 0.8)
    return art.texture()
