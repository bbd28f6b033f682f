# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames into Blender's images: float32, premultiplied, linear light, rows from the bottom up.

A live image is a generated float image whose colour space is scene-linear Rec. 709 and whose alpha is
``PREMUL``: then Cycles, EEVEE, the compositor and Geometry Nodes all show the engine's values as they are
(``STRAIGHT`` darkens edges: in EEVEE always, in Cycles from 5.0).
"""

from __future__ import annotations

from typing import Any

import bpy

LINEAR = "Linear Rec.709"


def new_live_image(name: str, size: tuple[int, int]) -> bpy.types.Image:
    """An empty live image."""
    image = bpy.data.images.new(name, *size, alpha=True, float_buffer=True)
    image.generated_color = (0.0, 0.0, 0.0, 0.0)
    prepare(image)
    return image


def prepare(image: bpy.types.Image) -> None:
    """Set what makes Blender show our values as they are."""
    if image.alpha_mode != "PREMUL":
        image.alpha_mode = "PREMUL"
    if image.colorspace_settings.name != LINEAR:
        image.colorspace_settings.name = LINEAR


def make_live(image: bpy.types.Image) -> None:
    """Put a live image in the place of one that has been packed; everything that showed that shows this."""
    if image.library is None:
        name, size = image.name, tuple(image.size)
        image.name = f"{name} packed"
        new = new_live_image(name, (max(size[0], 1), max(size[1], 1)))
        image.user_remap(new)
        bpy.data.images.remove(image)


def is_live(image: Any) -> bool:
    """Whether frames can be written to it."""
    return image is not None and image.source == "GENERATED" and image.is_float


def put(image: bpy.types.Image, size: tuple[int, int], values: Any) -> None:
    """Show ``values``, flat float32 of this size (any buffer), in the image; make it that large if it is not."""
    if tuple(image.size) != size:
        # Setting the size of a generated image costs nothing, where scaling would resample it.
        image.generated_width, image.generated_height = size
    image.pixels.foreach_set(values)
    image.update()
