# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between the releases of Blender from 4.2 to 5.2, each with the change that it answers to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Optional

import bpy

VERSION = bpy.app.version

#: Of properties that hold paths which may begin with ``//``: 4.5 warns of those that do not say so.
RELATIVE_PATH = {"ANIMATABLE", "PATH_SUPPORTS_BLEND_RELATIVE"} if VERSION >= (4, 5) else {"ANIMATABLE"}


def eevee() -> str:
    """EEVEE's identifier: ``BLENDER_EEVEE_NEXT`` from 4.2, ``BLENDER_EEVEE`` again from 5.0."""
    return "BLENDER_EEVEE" if VERSION >= (5, 0) else "BLENDER_EEVEE_NEXT"


def fcurves(thing: bpy.types.ID) -> Iterable[Any]:
    """The F-curves that the data-block's own action has for it.

    4.4 brought layered actions with slots, 5.0 removed ``Action.fcurves``.
    """
    data = thing.animation_data
    if data is None or data.action is None:
        return ()
    bag = channelbag(thing)
    if bag is not None:
        return bag.fcurves
    return data.action.fcurves if VERSION < (4, 4) else ()


def channelbag(thing: bpy.types.ID) -> Any:
    """The channelbag of the data-block's slot, or ``None``: none is assigned, or Blender is older than 4.4."""
    data = thing.animation_data
    if VERSION < (4, 4) or data is None or data.action is None or data.action_slot is None:
        return None
    for layer in data.action.layers:
        for strip in layer.strips:
            bag = strip.channelbag(data.action_slot)
            if bag is not None:
                return bag
    return None


def ensure_fcurve(thing: bpy.types.ID, path: str, group: str) -> Any:
    """The F-curve of a property, made where there is none, with its action, slot and group.

    ``Action.fcurve_ensure_for_datablock`` is there from 4.5 and takes the group's name from 5.0; keying once makes
    all of them in every release.
    """
    found = next((curve for curve in fcurves(thing) if curve.data_path == path), None)
    if found is None:
        thing.keyframe_insert(path, group=group)
        found = next(curve for curve in fcurves(thing) if curve.data_path == path)
        while found.keyframe_points:
            found.keyframe_points.remove(found.keyframe_points[0], fast=True)
    return found


def remove_fcurve(thing: bpy.types.ID, curve: Any) -> None:
    """Take an F-curve out of the data-block's own action."""
    bag = channelbag(thing)
    (thing.animation_data.action if bag is None else bag).fcurves.remove(curve)


def action_fcurves(action: Any) -> list[Any]:
    """All F-curves of an action, whatever they act on (``Action.fcurves`` until 4.3, see ``fcurves``)."""
    if action is None:
        return []
    if VERSION < (4, 4):
        return list(action.fcurves)
    return [
        curve
        for layer in action.layers
        for strip in layer.strips
        for bag in strip.channelbags
        for curve in bag.fcurves
    ]


def new_action(name: str, id_type: str) -> tuple[Any, Any]:
    """A new action for data-blocks of a type, and what has its ``fcurves`` and ``groups``: itself until 4.3, a
    channelbag from 4.4."""
    action = bpy.data.actions.new(name)
    if VERSION < (4, 4):
        action.id_root = id_type
        return action, action
    strip = action.layers.new("Layer").strips.new(type="KEYFRAME")
    return action, strip.channelbag(action.slots.new(id_type, name), ensure=True)


def compositor_tree(scene: bpy.types.Scene, create: bool = False) -> Optional[Any]:
    """The scene's compositing nodes: 5.0 replaced ``Scene.node_tree`` by ``compositing_node_group``."""
    if VERSION >= (5, 0):
        if scene.compositing_node_group is None and create:
            tree = bpy.data.node_groups.new("Compositing", "CompositorNodeTree")
            tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
            scene.compositing_node_group = tree
        return scene.compositing_node_group
    if create and not scene.use_nodes:
        scene.use_nodes = True
    return scene.node_tree if scene.use_nodes else None


def composited_images(scene: bpy.types.Scene) -> list[Any]:
    """The images that the scene's compositing nodes show, in groups too."""
    tree = compositor_tree(scene) if scene.render.use_compositing else None
    images, trees, seen = [], [tree], set()
    while trees:
        tree = trees.pop()
        if tree is None or tree in seen:
            continue
        seen.add(tree)
        images += [node.image for node in tree.nodes if getattr(node, "image", None) is not None]
        trees += [node.node_tree for node in tree.nodes if node.bl_idname == "CompositorNodeGroup"]
    return images


def compositor_output(tree: Any) -> Any:
    """The node whose first input is the composited picture, made where there is none."""
    kind = "NodeGroupOutput" if VERSION >= (5, 0) else "CompositorNodeComposite"
    found = next((node for node in tree.nodes if node.bl_idname == kind), None)
    return found or tree.nodes.new(kind)


def strips(editor: Any) -> Any:
    """The strips of a sequence editor: ``sequences`` until 4.3, ``strips`` from 4.4."""
    return editor.strips if VERSION >= (4, 4) else editor.sequences


def sequencer_scene(context: bpy.types.Context) -> bpy.types.Scene:
    """The scene whose strips the sequencer edits: from 5.0 the workspace may name another one."""
    if VERSION >= (5, 0):
        return context.workspace.sequencer_scene or context.scene if context.workspace else context.scene
    return context.scene


def use_material_nodes(material: bpy.types.Material) -> Any:
    """The material's node tree; from 5.0 every material has one, and 6.0 will drop the switch."""
    if VERSION < (5, 0):
        material.use_nodes = True
    return material.node_tree


def timeline_editor() -> Any:
    """The editor in which Blender draws the states of its own caches."""
    return bpy.types.SpaceDopeSheetEditor


def alpha_over(tree: Any) -> tuple[Any, Any, Any, Any]:
    """A new node that lays one picture over another: the node, its inputs for what lies below and above, its output.

    5.0 named and reordered the sockets: Background, Foreground, Factor.
    """
    node = tree.nodes.new("CompositorNodeAlphaOver")
    if VERSION >= (5, 0):
        return node, node.inputs["Background"], node.inputs["Foreground"], node.outputs[0]
    return node, node.inputs[1], node.inputs[2], node.outputs[0]


#: Whether asset shelves have operators for click and drag of their own; before, the keymap has them.
SHELF_DRAGS = "bl_drag_operator" in bpy.types.AssetShelf.bl_rna.properties

#: The keymaps, their space, and what a pointer does there with pose assets, as Blender's own pose library has them.
POSE_ASSET_KEYS = (
    (("Asset Browser Main", "FILE_BROWSER", "apply_pose_asset", "DOUBLE_CLICK"),)
    if SHELF_DRAGS
    else (
        ("File Browser Main", "FILE_BROWSER", "apply_pose_asset", "DOUBLE_CLICK"),
        ("Asset Shelf", "EMPTY", "apply_pose_asset", "CLICK"),
        ("Asset Shelf", "EMPTY", "blend_pose_asset", "CLICK_DRAG"),
    )
)
