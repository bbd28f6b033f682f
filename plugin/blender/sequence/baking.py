# SPDX-License-Identifier: GPL-3.0-or-later
"""Putting a baked image sequence in the place of a live image, everywhere that Blender shows it, and back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bpy

from .. import compat
from .files import Order, numbered


def show_files(thing: bpy.types.Object, order: Order) -> None:
    """Show the files of ``order`` wherever the object's live image is shown."""
    settings = thing.keywarp
    live = settings.image
    first = numbered(order.out, order.start)
    baked = bpy.data.images.load(kept(str(first)))
    baked.name = f"{live.name} baked"
    baked.source = "SEQUENCE"
    if first.suffix == ".exr":
        baked.alpha_mode = "PREMUL"
    live.user_remap(baked)
    settings.image, settings.baked_image = live, baked
    live.use_fake_user = True
    settings.baked = kept(str(order.out))
    for user in image_users(baked):
        user.frame_start, user.frame_offset = order.start, order.start - 1
        user.frame_duration = order.end - order.start + 1
        user.use_auto_refresh = True


def show_live(thing: bpy.types.Object) -> None:
    """Show the live image again wherever the baked one is shown."""
    settings = thing.keywarp
    live, baked = settings.image, settings.baked_image
    settings.baked = ""
    settings.baked_image = None
    if baked is not None:
        baked.user_remap(live)
        bpy.data.images.remove(baked)
    live.use_fake_user = False


def kept(path: str) -> str:
    """A path as a .blend file keeps it: relative to it where the user has it so and it is saved."""
    from ..character.adding import kept_path

    return kept_path(path)


def image_users(image: bpy.types.Image) -> Iterator[Any]:
    """Whatever says which frame of the image is shown: in materials, worlds, node groups, compositors, cameras."""
    for tree in _trees():
        for node in tree.nodes:
            if getattr(node, "image", None) == image:
                # The compositor's node says it itself, a texture node has an image user.
                yield getattr(node, "image_user", None) or node
    for camera in bpy.data.cameras:
        for background in camera.background_images:
            if background.image == image:
                yield background.image_user


def _trees() -> Iterator[Any]:
    for holder in (*bpy.data.materials, *bpy.data.worlds, *bpy.data.lights):
        if holder.node_tree is not None:
            yield holder.node_tree
    yield from bpy.data.node_groups
    if compat.VERSION < (5, 0):  # from 5.0 they are among the node groups
        yield from (scene.node_tree for scene in bpy.data.scenes if scene.node_tree is not None)
