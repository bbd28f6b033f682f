# SPDX-License-Identifier: GPL-3.0-or-later
"""The looks of a figure: its textures, made ready for a size of picture, and the four styles of shading.

AnimeCeleb has four shaders (papers/animeceleb, section 2.1); here they are ramps, by which the light that falls on
a surface multiplies its colour, and an outline.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keywarp.core.opencv import cv2
from keywarp.core.studio.figure import Figure, Floats, Material, Texture
from keywarp.core.studio.raster import RAMP, Palette

_UNLIT = re.compile(
    r"目|瞳|白目|眼|eye|iris|pupil|highlight|ハイライト|眉|brow|まつ|lash|口|mouth|歯|teeth|舌", re.I
)
"""Materials that draughtsmen do not shade."""
_SHADE = np.array([0.80, 0.74, 0.84])
"""What shadow leaves of red, green and blue: cool, as it is painted."""
_INSIDE = (0.48, 0.17, 0.18)
"""The colour of a mouth that has no inside, encoded."""
_INK = (0.20, 0.13, 0.16)
"""The colour of an outline where the model has none, encoded."""


@dataclass(frozen=True)
class Style:
    """A way of shading."""

    name: str
    ramp: Floats
    """(RAMP, 3): by the light, from behind (0) to facing it (1), what is left of a colour."""
    outline: float = 0.0
    """Width of the outline in thousandths of the picture's side."""


def _ramp(edges: tuple[float, float], darkest: float) -> Floats:
    light = np.linspace(0.0, 1.0, RAMP)
    share = np.clip((light - edges[0]) / (edges[1] - edges[0]), 0.0, 1.0)
    share = share * share * (3 - 2 * share)
    left = 1.0 - darkest * (1.0 - _SHADE) * (1.0 - share[:, None])
    return left.astype(np.float32)


_CEL = _ramp((0.57, 0.60), 1.0)
STYLES: Mapping[str, Style] = {
    style.name: style
    for style in (
        Style("flat", np.ones((RAMP, 3), np.float32)),
        Style("cel", _CEL),
        Style("soft", _ramp((0.25, 1.0), 1.25)),
        Style("outline", _CEL, outline=3.2),
    )
}


def ramps(style: Style) -> Floats:
    """(2, RAMP, 4): row 0 for what is not shaded, row 1 for the rest."""
    rows = np.ones((2, RAMP, 4), np.float32)
    rows[1, :, :3] = style.ramp
    return rows


def palette(figure: Figure, texels_per_pixel: npt.NDArray[np.float64]) -> Palette:
    """The textures of all materials and, behind them, the colours of their outlines and of their insides.

    ``texels_per_pixel``: (materials,), how dense a texture lies where it is seen; it is made smaller accordingly,
    so that small pictures do not glitter.
    """
    parts: list[Texture] = []
    places: list[tuple[float, float, float, float]] = []
    at = 0
    looks = [_texture(figure, material, texels_per_pixel[i]) for i, material in enumerate(figure.materials)]
    looks += [_edge_texel(material).reshape(1, 1, 4) for material in figure.materials]
    looks += [_texel(*_INSIDE).reshape(1, 1, 4)] * len(figure.materials)
    for i, look in enumerate(looks):
        material = figure.materials[i % len(figure.materials)]
        lit = i < len(figure.materials) and not _UNLIT.search(material.name)
        places.append((at, look.shape[1], look.shape[0], float(lit)))
        parts.append(look.reshape(-1, 4))
        at += len(parts[-1])
    return Palette(np.concatenate(parts), np.array(places, np.float32))


def _edge_texel(material: Material) -> npt.NDArray[np.uint8]:
    r, g, b = material.edge[:3] if material.edge and max(material.edge[:3]) > 0.02 else _INK
    return _texel(r, g, b)


def _texel(r: float, g: float, b: float) -> npt.NDArray[np.uint8]:
    return np.asarray(np.rint(np.array([r, g, b, 1.0]) * 255), np.uint8)


def _texture(figure: Figure, material: Material, density: float) -> Texture:
    """A material's own texture, premultiplied, with its colour in it."""
    there = 0 <= material.texture < len(figure.textures)
    texture = figure.textures[material.texture] if there else None
    if texture is None:
        texture = np.full((1, 1, 4), 255, np.uint8)
    straight = texture.astype(np.float32) * np.array(material.colour, np.float32)
    if material.alpha == "opaque":
        straight[..., 3] = 255.0
    elif material.alpha == "cut":
        straight[..., 3] = np.clip((straight[..., 3] / 255.0 - material.cutoff) * 4 + 0.5, 0.0, 1.0) * 255
    straight[..., :3] *= straight[..., 3:] / 255.0
    height, width = straight.shape[:2]
    smaller = 2.0 ** np.floor(np.log2(max(density, 1.0)))
    size = (max(round(width / smaller), 1), max(round(height / smaller), 1))
    if size != (width, height):
        straight = cv2.resize(straight, size, interpolation=cv2.INTER_AREA)
    return np.rint(straight).astype(np.uint8)
