# SPDX-License-Identifier: GPL-3.0-or-later
"""Expressions: the menu's operators, one's own files, and the pose library."""

from __future__ import annotations

import json
from pathlib import Path

import bpy
import numpy as np
from figures import failed, figure, library_actions, refused

from keywarp.keyframes.expressions import EXPRESSIONS, GROUPS, expression
from keywarp.keyframes.spaces.tha45 import SPACE
from keywarp.plugin.blender import compat
from keywarp.plugin.blender.character.properties import channel_path, pose_of, set_pose, set_rest
from keywarp.plugin.blender.expressions import actions as pose_actions
from keywarp.plugin.blender.expressions import library as pose_library
from keywarp.plugin.blender.expressions import personal, portraits

ops = bpy.ops.keywarp


def near(a, b, tolerance=1e-6):
    return all(abs(a[name] - b[name]) <= tolerance for name in a)


def forget_own():
    for each in personal.listing():
        personal.delete(each.name)


def check_every_expression_applies():
    thing = figure()
    for each in EXPRESSIONS:
        assert ops.apply_expression(expression=each.name) == {"FINISHED"}
        assert near(each.pose(), pose_of(thing))


def check_it_goes_to_the_characters_own_rest_where_it_says_nothing():
    thing = figure()
    set_rest(thing, {"mouth_aaa": 0.0, "eyebrow_raised_left": 0.25})
    ops.apply_expression(expression="anger")
    ops.apply_expression(expression="neutral")
    assert pose_of(thing)["eyebrow_raised_left"] == 0.25
    assert pose_of(thing)["eyebrow_angry_left"] == 0.0


def check_strength_blends_from_the_present_pose():
    thing = figure()
    set_pose(thing, {"eyebrow_angry_left": 0.5, "head_x": 0.5})
    ops.apply_expression(expression="anger", strength=0.5)
    pose = pose_of(thing)
    assert abs(pose["eyebrow_angry_left"] - 0.75) < 1e-6 and pose["head_x"] == 0.5


def check_it_keys_what_it_covers_if_asked():
    thing = figure()
    ops.apply_expression(expression="vowel_i")
    assert not list(compat.fcurves(thing))
    bpy.context.scene.frame_set(5)
    ops.apply_expression(expression="vowel_u", key=True)
    keys = {curve.data_path: [p.co[:] for p in curve.keyframe_points] for curve in compat.fcurves(thing)}
    assert set(keys) == {channel_path(name) for name in expression("vowel_u").covers}
    assert keys[channel_path("mouth_uuu")] == [(5.0, 1.0)]
    bpy.context.scene.tool_settings.use_keyframe_insert_auto = True
    ops.apply_expression(expression="blink")
    assert len(list(compat.fcurves(thing))) == len(keys) + 2


def check_it_can_be_undone():
    thing = figure()
    bpy.ops.ed.undo_push(message="added")
    ops.apply_expression("EXEC_DEFAULT", True, expression="anger")
    assert pose_of(bpy.context.object)["eyebrow_angry_left"] == 1.0
    bpy.ops.ed.undo()
    assert pose_of(bpy.context.object)["eyebrow_angry_left"] == 0.0
    assert thing is not None


def check_an_unknown_expression_is_one_sentence():
    figure()
    assert "no expression named 'melancholy'" in failed(ops.apply_expression, expression="melancholy")
    assert "of your own" in failed(ops.apply_expression, expression="melancholy", own=True)


def check_menus_hold_every_expression():
    for group in GROUPS:
        assert hasattr(bpy.types, f"KEYWARP_MT_expressions_{group.lower()}")


def check_an_expression_of_ones_own_is_kept_applied_and_deleted():
    forget_own()
    thing = figure()
    set_pose(thing, {"eyebrow_angry_left": 0.5, "mouth_smirk": 1.0, "head_x": 0.5})
    assert ops.save_expression(title="My Grin", channels="MOVED") == {"FINISHED"}
    saved = personal.find("my_grin")
    assert saved.title == "My Grin" and set(saved.covers) == {"eyebrow_angry_left", "mouth_smirk", "head_x"}
    content = json.loads((personal.folder() / "my_grin.json").read_text())
    assert content["values"]["mouth_smirk"] == 1.0
    other = figure("Other")
    assert ops.apply_expression(expression="my_grin", own=True) == {"FINISHED"}
    assert pose_of(other)["mouth_smirk"] == 1.0 and pose_of(other)["head_x"] == 0.5
    assert ops.save_expression(title="My Grin", channels="FACE") == {"FINISHED"}
    assert len(personal.listing()) == 1 and "head_x" not in personal.find("my_grin").covers
    assert "already" in failed(ops.save_expression, title="my grin", replace=False)
    assert ops.delete_expression(expression="my_grin") == {"FINISHED"}
    assert personal.listing() == ()
    assert "no expression of your own" in failed(ops.delete_expression, expression="my_grin")


def check_what_cannot_be_kept_is_one_sentence():
    forget_own()
    figure()
    assert "nothing to keep" in failed(ops.save_expression, title="Rest", channels="MOVED")
    assert "letter or digit" in failed(ops.save_expression, title="///")
    assert personal.listing() == ()
    bpy.context.view_layer.objects.active = None
    assert "Select a Keywarp character" in refused(ops.save_expression)


def check_broken_files_of_ones_own_are_left_out():
    forget_own()
    folder = personal.folder()
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (("a.json", "{"), ("b.json", "[]"), ("c.json", '{"keywarp_expression": 1}')):
        (folder / name).write_text(text)
    (folder / "d.json").write_bytes(b"\xff\xfe\x00")
    figure()
    ops.save_expression(title="Good")
    assert [each.title for each in personal.listing()] == ["Good"]
    for name in "abcd":
        (folder / f"{name}.json").unlink()
    forget_own()


def check_the_pose_library_has_every_expression_in_its_catalog():
    forget_own()
    thing = figure()
    mine = bpy.data.actions.new("Joy")
    mine.use_fake_user = True
    set_pose(thing, {"mouth_smirk": 1.0})
    ops.save_expression(title="My Grin", channels="FACE")
    assert ops.make_pose_library(pictures=False) == {"FINISHED"}
    assert [action.name for action in bpy.data.actions] == ["Joy"] and bpy.data.actions["Joy"] == mine
    catalogs = (pose_library.folder() / "blender_assets.cats.txt").read_text().splitlines()
    assert "VERSION 1" in catalogs
    paths = {line.split(":")[0]: line.split(":")[1] for line in catalogs if line.count(":") == 2}
    bpy.data.actions.remove(mine)
    actions = library_actions()
    assert set(actions) == {each.title for each in EXPRESSIONS} | {"My Grin"}
    for each in EXPRESSIONS:
        action = actions[each.title]
        assert paths[action.asset_data.catalog_id] == f"Keywarp/{each.group}"
        assert "Keywarp" in action.asset_data.tags
        assert near(each.pose(), pose_actions.values_of(action))
    libraries = [
        library
        for library in bpy.context.preferences.filepaths.asset_libraries
        if library.name == "Keywarp Poses"
    ]
    assert [Path(library.path) for library in libraries] == [pose_library.folder()]
    assert ops.make_pose_library(pictures=False) == {"FINISHED"}
    assert len(list(bpy.context.preferences.filepaths.asset_libraries)) == len(
        {each.name for each in bpy.context.preferences.filepaths.asset_libraries}
    )
    forget_own()


class Asset:
    """What Blender's asset browser hands to operators, of one action of this file."""

    def __init__(self, action):
        self.local_id, self.name, self.id_type = action, action.name, "ACTION"
        self.full_library_path = ""


class LibraryAsset(Asset):
    def __init__(self, name):
        self.local_id, self.name, self.id_type = None, name, "ACTION"
        self.full_library_path = str(pose_library.folder() / pose_library.FILE)


def check_a_pose_asset_is_read_from_its_library_and_leaves_nothing_behind():
    figure()
    ops.make_pose_library(pictures=False)
    values = pose_actions.values_of_asset(LibraryAsset("Anger"))
    assert near(expression("anger").pose(), values)
    assert not len(bpy.data.actions) and not len(bpy.data.libraries)
    for wrong in (LibraryAsset("Nobody"), None, Asset(bpy.data.actions.new("empty"))):
        try:
            pose_actions.values_of_asset(wrong)
        except Exception as error:
            assert type(error).__name__ == "KeywarpError", error
        else:
            raise AssertionError("it was read")


def check_a_pose_asset_is_made_of_the_present_pose():
    thing = figure()
    set_pose(thing, {"mouth_smirk": 1.0, "head_y": -0.5})
    assert ops.create_pose_asset(title="Look", channels="MOVED") == {"FINISHED"}
    action = bpy.data.actions["Look"]
    assert action.asset_data is not None and "Keywarp" in action.asset_data.tags
    assert pose_actions.values_of(action) == {"mouth_smirk": 1.0, "head_y": -0.5}
    assert thing.animation_data is None
    assert pose_actions.values_of_asset(Asset(action)) == {"mouth_smirk": 1.0, "head_y": -0.5}
    assert "choose a pose asset" in failed(ops.apply_pose_asset).lower()


def check_blending_a_pose_asset_goes_part_of_the_way():
    from keywarp.plugin.blender.expressions.assets import blended

    start = {name: SPACE[name].default for name in SPACE.names}
    half = blended(start, {"head_y": 1.0, "mouth_aaa": 0.0}, 0.5)
    assert half == {"head_y": 0.5, "mouth_aaa": 0.5}
    assert blended(start, {"head_y": 1.0}, 3.0) == {"head_y": 1.0}


def check_the_asset_shelf_is_there_for_characters():
    from keywarp.plugin.blender.expressions.assets import VIEW3D_AST_keywarp_poses as shelf

    figure()
    assert shelf.poll(bpy.context)
    bpy.context.view_layer.objects.active = None
    assert not shelf.poll(bpy.context)


def check_faces_are_found_where_pictures_change():
    rest = np.zeros((200, 100, 4), np.uint8)
    moved = rest.copy()
    moved[40:60, 30:60] = 200
    x, y, width, height = portraits.face_of(rest, [moved])
    assert width == height and x <= 30 and x + width >= 60 and y <= 40 and y + height >= 60
    assert x >= 0 and x + width <= 100 and y >= 0 and y + height <= 200
    assert portraits.face_of(rest, [rest]) == (0, 0, 100, 100)
    picture = portraits.fitted(moved[35:65, 30:60])
    assert picture.shape == (portraits.SIDE, portraits.SIDE, 4)
    assert picture[0, 0, 0] == 0.0 and abs(picture[portraits.SIDE // 2, 10, 0] - 200 / 255) < 1e-6
