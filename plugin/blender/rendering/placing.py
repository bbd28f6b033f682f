# SPDX-License-Identifier: GPL-3.0-or-later
"""Where else a character can be seen: the compositor, a camera, the Video Sequencer, renders of its own."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Optional

import bpy
from mathutils import Vector

from .. import compat
from ..character.active import CharacterOperator
from ..options import FrameSize
from ..sequence.files import numbered
from .engine import KeywarpRenderEngine


def shown_image(thing: bpy.types.Object) -> Optional[bpy.types.Image]:
    """The image that shows the character now: the baked one, else the live one."""
    return thing.keywarp.baked_image or thing.keywarp.image


def add_camera_where_none_is(context: Any) -> None:
    """Blender renders no scene without a camera, also where the engine looks through none: one in front of the
    active character, which fills its frame."""
    scene, thing = context.scene, context.object
    if scene.camera is not None:
        return
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.collection.objects.link(camera)
    height = max(thing.dimensions)
    camera.location = thing.matrix_world.translation + Vector((0.0, -2.6 * height, height / 2))
    camera.rotation_euler.x = math.pi / 2
    scene.camera = camera


class KEYWARP_OT_use_render_engine(FrameSize, CharacterOperator, bpy.types.Operator):
    """Render with the engine Keywarp: the character alone, at full quality and without a 3D scene around it"""

    bl_idname = "keywarp.use_render_engine"
    bl_label = "Render with Keywarp"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: Any) -> set[str]:
        render = context.scene.render
        render.engine = KeywarpRenderEngine.bl_idname
        render.resolution_x, render.resolution_y, render.resolution_percentage = self.width, self.height, 100
        if render.image_settings.file_format in ("PNG", "OPEN_EXR", "TIFF"):
            render.image_settings.color_mode = "RGBA"
        add_camera_where_none_is(context)
        self.report({"INFO"}, f"Renders are made by Keywarp, {self.width} x {self.height}")
        return {"FINISHED"}


class KEYWARP_OT_add_to_compositor(CharacterOperator, bpy.types.Operator):
    """Lay the active character's live image over the render, in the scene's compositing nodes"""

    bl_idname = "keywarp.add_to_compositor"
    bl_label = "Add to Compositor"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: Any) -> set[str]:
        tree = compat.compositor_tree(context.scene, create=True)
        output = compat.compositor_output(tree)
        target = output.inputs[0]
        if not target.is_linked:
            # Without Render Layers in the tree Blender composites nothing.
            layers = next((node for node in tree.nodes if node.bl_idname == "CompositorNodeRLayers"), None)
            layers = layers or tree.nodes.new("CompositorNodeRLayers")
            layers.location = output.location.x - 700, output.location.y
            tree.links.new(layers.outputs["Image"], target)
        below = target.links[0].from_socket
        picture = tree.nodes.new("CompositorNodeImage")
        picture.image = shown_image(context.object)
        over, bottom, top, result = compat.alpha_over(tree)
        over.location = output.location.x - 220, output.location.y
        picture.location = output.location.x - 500, output.location.y - 250
        tree.links.new(below, bottom)
        tree.links.new(picture.outputs["Image"], top)
        tree.links.new(result, target)
        self.report({"INFO"}, f"{context.object.name} lies over the render")
        return {"FINISHED"}


class KEYWARP_OT_add_to_camera(CharacterOperator, bpy.types.Operator):
    """Show the active character's live image in front of what the scene's camera sees, in the viewport"""

    bl_idname = "keywarp.add_to_camera"
    bl_label = "Add to Camera"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: Any) -> set[str]:
        camera = context.scene.camera
        if camera is None or camera.type != "CAMERA":
            self.report({"ERROR"}, "The scene has no camera: add one first")
            return {"CANCELLED"}
        background = camera.data.background_images.new()
        background.image = shown_image(context.object)
        background.alpha = 1.0
        background.display_depth = "FRONT"
        background.frame_method = "FIT"
        camera.data.show_background_images = True
        return {"FINISHED"}


class KEYWARP_OT_add_scene_strip(CharacterOperator, bpy.types.Operator):
    """Add the active character to the Video Sequencer: a Scene strip of a scene that holds the character alone,
    rendered by Keywarp at the size of the edit"""

    bl_idname = "keywarp.add_scene_strip"
    bl_label = "Add to Sequencer"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: Any) -> set[str]:
        edit, thing = compat.sequencer_scene(context), context.object
        scene = character_scene(thing, edit)
        editor = edit.sequence_editor or edit.sequence_editor_create()
        strips = compat.strips(editor)
        strip = strips.new_scene(thing.name, scene, free_channel(editor), edit.frame_start)
        strip.blend_type = "ALPHA_OVER"
        edit.render.use_sequencer = True
        self.report({"INFO"}, f"{thing.name} is in the sequencer, from its own scene {scene.name}")
        return {"FINISHED"}


class KEYWARP_OT_add_baked_strip(CharacterOperator, bpy.types.Operator):
    """Add the files that the active character was baked to as an image strip of the Video Sequencer"""

    bl_idname = "keywarp.add_baked_strip"
    bl_label = "Add Baked Files to Sequencer"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: Any) -> set[str]:
        edit, thing = compat.sequencer_scene(context), context.object
        if not thing.keywarp.baked:
            self.report({"ERROR"}, f"{thing.name} is not baked: use Bake to Image Sequence first")
            return {"CANCELLED"}
        pattern = Path(bpy.path.abspath(thing.keywarp.baked))
        numbers = [n for n in range(edit.frame_start, edit.frame_end + 1) if numbered(pattern, n).exists()]
        if not numbers:
            self.report({"ERROR"}, f"None of the scene's frames is among the baked files {pattern}")
            return {"CANCELLED"}
        editor = edit.sequence_editor or edit.sequence_editor_create()
        first = str(numbered(pattern, numbers[0]))
        strip = compat.strips(editor).new_image(thing.name, first, free_channel(editor), numbers[0])
        for number in range(numbers[0] + 1, numbers[-1] + 1):
            strip.elements.append(numbered(pattern, number).name)
        strip.blend_type = "ALPHA_OVER"
        edit.render.use_sequencer = True
        return {"FINISHED"}


def character_scene(thing: bpy.types.Object, edit: bpy.types.Scene) -> bpy.types.Scene:
    """A scene that holds the character alone, with the frames, rate and size of the edit, rendered by Keywarp."""
    scene = bpy.data.scenes.new(f"{thing.name} (Keywarp)")
    scene.collection.objects.link(thing)
    camera = bpy.data.objects.new(f"{thing.name} camera", bpy.data.cameras.new(f"{thing.name} camera"))
    camera.location = (0.0, -10.0, 0.0)
    camera.rotation_euler.x = 1.5707963
    scene.collection.objects.link(camera)
    scene.camera = camera  # Scene strips need one, though Keywarp does not
    scene.keywarp.character = thing
    scene.render.engine = KeywarpRenderEngine.bl_idname
    scene.view_settings.view_transform = "Standard"
    for name in ("resolution_x", "resolution_y", "resolution_percentage", "fps", "fps_base"):
        setattr(scene.render, name, getattr(edit.render, name))
    scene.render.film_transparent = True
    scene.render.dither_intensity = 0.0
    scene.render.use_lock_interface = True
    scene.frame_start, scene.frame_end = edit.frame_start, edit.frame_end
    return scene


def free_channel(editor: Any) -> int:
    """The lowest channel above all strips."""
    return max((strip.channel for strip in compat.strips(editor)), default=0) + 1


_CLASSES = (
    KEYWARP_OT_use_render_engine,
    KEYWARP_OT_add_to_compositor,
    KEYWARP_OT_add_to_camera,
    KEYWARP_OT_add_scene_strip,
    KEYWARP_OT_add_baked_strip,
)


register, unregister = bpy.utils.register_classes_factory(_CLASSES)
