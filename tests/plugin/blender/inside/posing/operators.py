# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators on poses, and their keys."""

from __future__ import annotations

import json

import bpy
from figures import failed, figure, refused, values_at

from keywarp.keyframes.expressions import expression
from keywarp.keyframes.spaces.tha45 import SPACE
from keywarp.plugin.blender import compat
from keywarp.plugin.blender.character.properties import channel_path, pose_of, set_pose, set_rest
from keywarp.plugin.blender.posing import operators as posing

ops = bpy.ops.keywarp


def keyed(thing):
    """By channel the frames of its keys."""
    by_path = {channel_path(name): name for name in SPACE.names}
    return {by_path[c.data_path]: [p.co.x for p in c.keyframe_points] for c in compat.fcurves(thing)}


def in_viewport():
    """As though the pointer were over a 3D viewport."""
    window = bpy.context.window_manager.windows[0]
    area = next(area for area in window.screen.areas if area.type == "VIEW_3D")
    return bpy.context.temp_override(window=window, area=area)


def near(a, b):
    return all(abs(a[name] - b[name]) < 1e-6 for name in a)


def check_reset_goes_to_the_characters_own_rest():
    thing = figure()
    set_rest(thing, {"mouth_aaa": 0.0, "eye_wink_left": 0.0})
    set_pose(thing, {**expression("anger").pose(), "head_y": 0.5})
    assert ops.reset_pose(group="MOUTH") == {"FINISHED"}
    pose = pose_of(thing)
    assert pose["mouth_aaa"] == 0.0 and pose["mouth_lowered_corner_left"] == 0.0
    assert pose["head_y"] == 0.5 and pose["eyebrow_angry_left"] == 1.0
    assert ops.reset_pose() == {"FINISHED"}
    assert pose_of(thing) == {**{c.name: c.default for c in SPACE.channels}, "mouth_aaa": 0.0}


def check_what_is_reset_shows_at_once():
    thing = figure()
    set_pose(thing, {"head_x": 0.5})
    bpy.context.view_layer.update()
    ops.reset_pose()
    assert pose_of(thing, bpy.context.evaluated_depsgraph_get())["head_x"] == 0.0


def check_mirror_exchanges_sides_and_turns():
    thing = figure()
    set_pose(thing, {"eye_wink_left": 0.75, "eye_wink_right": 0.25, "head_y": 0.5, "head_x": -0.5})
    ops.mirror_pose()
    pose = pose_of(thing)
    assert (pose["eye_wink_left"], pose["eye_wink_right"], pose["head_y"], pose["head_x"]) == (
        0.25,
        0.75,
        -0.5,
        -0.5,
    )
    ops.mirror_pose(group="HEAD")
    assert (pose_of(thing)["eye_wink_left"], pose_of(thing)["head_y"]) == (0.25, 0.5)
    ops.mirror_pose(way="RIGHT")
    pose = pose_of(thing)
    assert (pose["eye_wink_left"], pose["eye_wink_right"], pose["head_y"]) == (0.75, 0.75, 0.5)
    set_pose(thing, {"eye_wink_left": 0.125})
    ops.mirror_pose(way="LEFT")
    assert pose_of(thing)["eye_wink_right"] == 0.125


class Clipboard:
    """In the clipboard's place: Blender without a window has none."""

    def __init__(self):
        self.text = ""
        posing.read_clipboard = lambda _context: self.text
        posing.write_clipboard = lambda _context, text: setattr(self, "text", text)


def check_a_pose_goes_through_the_clipboard_to_another_character():
    clipboard, thing = Clipboard(), figure()
    set_pose(thing, {"eye_wink_left": 0.75, "head_y": 0.5, "mouth_aaa": 0.25})
    assert ops.copy_pose() == {"FINISHED"}
    copied = json.loads(clipboard.text)
    assert copied["eye_wink_left"] == 0.75 and len(copied) == len(SPACE)
    other = figure("Other")
    assert ops.paste_pose() == {"FINISHED"}
    assert near(pose_of(other), pose_of(thing))
    assert ops.paste_pose(flipped=True) == {"FINISHED"}
    pose = pose_of(other)
    assert (pose["eye_wink_left"], pose["eye_wink_right"], pose["head_y"]) == (0.0, 0.75, -0.5)


def check_pasting_part_of_a_pose_leaves_the_rest():
    clipboard, thing = Clipboard(), figure()
    clipboard.text = '{"eye_wink_left": 0.5}'
    set_pose(thing, {"head_x": 0.25, "eye_wink_right": 1.0})
    assert ops.paste_pose(flipped=True) == {"FINISHED"}
    pose = pose_of(thing)
    assert (pose["eye_wink_right"], pose["head_x"]) == (0.5, 0.25)


def check_pasting_what_is_no_pose_is_one_sentence():
    clipboard, thing = Clipboard(), figure()
    before = pose_of(thing)
    for clipboard.text in ("hello", '{"nose": 1}', '{"head_x": "up"}', ""):
        assert "The clipboard holds no pose" in failed(ops.paste_pose)
    assert pose_of(thing) == before


def check_key_all_keys_every_channel_at_the_current_subframe():
    thing = figure()
    bpy.context.scene.frame_set(12, subframe=0.5)
    assert ops.key_all() == {"FINISHED"}
    assert keyed(thing) == {name: [12.5] for name in SPACE.names}
    bpy.context.scene.frame_set(20)
    assert ops.key_all(group="HEAD") == {"FINISHED"}
    assert {name for name, frames in keyed(thing).items() if len(frames) == 2} == {
        "head_x",
        "head_y",
        "neck_z",
    }


def check_key_changed_keys_only_what_moved():
    thing = figure()
    set_rest(thing, {"mouth_aaa": 0.0})
    assert ops.key_changed() == {"CANCELLED"}
    set_pose(thing, {"head_x": 0.5, "eye_wink_left": 1.0})
    assert ops.key_changed() == {"FINISHED"}
    assert keyed(thing) == {"head_x": [1.0], "eye_wink_left": [1.0]}
    bpy.context.scene.frame_set(10)
    set_pose(thing, {"head_x": 0.25})
    assert ops.key_changed() == {"FINISHED"}
    assert keyed(thing) == {"head_x": [1.0, 10.0], "eye_wink_left": [1.0]}
    assert (
        abs(values_at(thing, 10)["head_x"] - 0.25) < 1e-6 and abs(values_at(thing, 1)["head_x"] - 0.5) < 1e-6
    )


def check_editors_show_readable_names_in_groups():
    """An editor shows the property's name and, in brackets, the name of the struct that holds it."""
    thing = figure()
    ops.key_all()
    for curve in compat.fcurves(thing):
        holder, _, name = curve.data_path.rpartition(".")
        struct = thing.path_resolve(holder)
        assert struct.name in ("Brows", "Eyes", "Gaze", "Mouth", "Head", "Body")
        shown = struct.bl_rna.properties[name].name
        assert "_" not in shown and shown[:1].isupper()
        assert curve.group.name == struct.name
    shown = [
        (
            c.group.name,
            thing.path_resolve(c.data_path.rpartition(".")[0])
            .bl_rna.properties[c.data_path.rpartition(".")[2]]
            .name,
        )
        for c in compat.fcurves(thing)
    ]
    assert len(set(shown)) == len(SPACE)


def check_auto_keying_records_what_operators_do():
    thing = figure()
    bpy.context.scene.tool_settings.use_keyframe_insert_auto = True
    set_pose(thing, {"head_x": 0.5})
    ops.reset_pose(group="HEAD")
    assert set(keyed(thing)) == {"head_x", "head_y", "neck_z"}


def check_the_keying_set_keys_every_channel_of_the_selected():
    thing = figure()
    assert ops.use_keying_set() == {"FINISHED"}
    assert bpy.context.scene.keying_sets_all.active.bl_idname == "KeywarpPose"
    bpy.context.scene.frame_set(7)
    with in_viewport():
        assert bpy.ops.anim.keyframe_insert() == {"FINISHED"}
    assert keyed(thing) == {name: [7.0] for name in SPACE.names}
    assert {c.group.name for c in compat.fcurves(thing)} == {"Brows", "Eyes", "Gaze", "Mouth", "Head", "Body"}
    with in_viewport():
        assert bpy.ops.anim.keyframe_delete() == {"FINISHED"}
    assert not any(keyed(thing).values())


def check_operators_undo():
    thing = figure()
    set_pose(thing, {"head_x": 0.5})
    bpy.ops.ed.undo_push(message="posed")
    ops.reset_pose("EXEC_DEFAULT", True)
    assert pose_of(bpy.context.object)["head_x"] == 0.0
    bpy.ops.ed.undo()
    assert pose_of(bpy.context.object)["head_x"] == 0.5


def check_without_a_character_they_say_what_to_do():
    bpy.context.view_layer.objects.active = None
    for operator in (
        ops.reset_pose,
        ops.mirror_pose,
        ops.copy_pose,
        ops.paste_pose,
        ops.key_all,
        ops.key_changed,
    ):
        assert "Select a Keywarp character" in refused(operator)
    bpy.ops.object.empty_add()
    assert "Select a Keywarp character" in refused(ops.key_all)


def check_a_linked_character_is_not_changed():
    from pathlib import Path

    thing = figure("Linked")
    path = str(Path("library.blend").absolute())
    bpy.data.libraries.write(path, {thing})
    bpy.data.objects.remove(thing)
    with bpy.data.libraries.load(path, link=True) as (_, there):
        there.objects = ["Linked"]
    linked = there.objects[0]
    bpy.context.scene.collection.objects.link(linked)
    bpy.context.view_layer.objects.active = linked
    assert "library override" in refused(ops.reset_pose)
    assert ops.copy_pose() == {"FINISHED"}
    own = linked.override_create(remap_local_usages=True)
    bpy.context.view_layer.objects.active = own
    set_pose(own, {"head_x": 0.5})
    assert ops.key_changed() == {"FINISHED"}
    assert keyed(own) == {"head_x": [1.0]}
