# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of adding characters, in a real Blender."""

from __future__ import annotations

import shutil
from pathlib import Path

import bpy
import numpy as np
from blender_side import CHARACTER
from figures import failed
from pictures import add

from keywarp.plugin.blender import session
from keywarp.plugin.blender.character import adding
from keywarp.plugin.blender.character.properties import channel_path, iter_channels


def check_a_character_file_becomes_a_plane():
    thing = add()
    assert thing.keywarp.is_character
    assert tuple(thing.keywarp.canvas) == (512, 512)
    assert abs(thing.dimensions.x - thing.dimensions.z) < 1e-6
    assert thing.dimensions.y == 0
    image = thing.keywarp.image
    values = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(values)
    alpha = values[3::4]
    assert alpha.min() < 0.01
    assert alpha.max() > 0.99
    assert thing.keywarp.message == ""
    assert bpy.context.selected_objects == [thing]


def check_a_folder_and_a_picture_with_its_model_do_too():
    add(CHARACTER)
    wide = Path.cwd() / "wide.png"
    image = bpy.data.images.new("wide", 768, 512, alpha=True)
    image.pixels.foreach_set(np.full(768 * 512 * 4, 0.5, np.float32))
    image.filepath_raw, image.file_format = str(wide), "PNG"
    image.save()
    thing = add(wide, model=str(CHARACTER))
    assert thing.dimensions.x / thing.dimensions.z == 1.5
    width, height = thing.keywarp.image.size
    assert abs(width / height - 1.5) < 0.01


def check_factory_scenes_show_pictures_as_they_are():
    scene = bpy.context.scene
    assert scene.view_settings.view_transform == "AgX"
    add()
    assert scene.view_settings.view_transform == "Standard"
    assert scene.render.film_transparent and scene.render.use_lock_interface
    assert scene.render.dither_intensity == 0
    assert scene.keywarp.warning == ""


def check_settings_that_somebody_chose_stay():
    scene = bpy.context.scene
    scene.view_settings.view_transform = "Filmic"
    add()
    assert scene.view_settings.view_transform == "Filmic"
    assert not scene.render.film_transparent
    assert "Filmic" in scene.keywarp.warning


def check_viewports_of_every_workspace_show_the_picture():
    """Blender's factory viewports are in *Solid* and would show a grey plane."""
    spaces = [area.spaces.active for screen in bpy.data.screens for area in screen.areas]
    shadings = [space.shading for space in spaces if space.type == "VIEW_3D"]
    shadings[0].color_type = "RANDOM"
    add()
    assert [shading.color_type for shading in shadings] == ["RANDOM", *["TEXTURE"] * (len(shadings) - 1)]
    assert len(shadings) > 3
    shadings[1].color_type = "MATERIAL"  # as somebody wants it
    add()
    assert shadings[1].color_type == "MATERIAL"


def check_adding_can_be_undone():
    bpy.ops.ed.undo_push(message="before")
    add()
    bpy.ops.ed.undo_push(message="added")
    bpy.ops.ed.undo()
    assert not [thing for thing in bpy.data.objects if thing.keywarp.is_character]
    assert bpy.context.scene.view_settings.view_transform == "AgX"


def check_what_cannot_be_added_says_why():
    add_character = bpy.ops.keywarp.add_character
    assert "does not exist" in failed(add_character, filepath=str(Path.cwd() / "gone.yaml"))
    Path("broken.yaml").write_text("keywarp: 1\npicture: gone.png\nmodel: gone\n", encoding="utf-8")
    assert "gone" in failed(add_character, filepath=str(Path.cwd() / "broken.yaml"))
    assert "needs a model" in failed(add_character, filepath=str(CHARACTER / "character.png"))
    gone = failed(add_character, filepath=str(CHARACTER / "character.png"), model="gone")
    assert "gone" in gone
    assert not [thing for thing in bpy.data.objects if thing.keywarp.is_character]
    assert not bpy.data.images.get("character")


def check_a_characters_defaults_become_its_pose():
    folder = Path.cwd() / "closed"
    shutil.copytree(CHARACTER, folder)
    (folder / "closed.yaml").write_text(
        "keywarp: 1\npicture: character.png\nmodel: .\ndefaults: {mouth_aaa: 0, head_y: 0.25}\n",
        encoding="utf-8",
    )
    thing = add(folder / "closed.yaml")
    assert thing.keywarp.pose.mouth.mouth_aaa == 0
    assert thing.keywarp.pose.head.head_y == 0.25


def check_another_file_changes_plane_and_picture():
    thing = add()
    wide = Path.cwd() / "wide.png"
    image = bpy.data.images.new("wide", 1024, 512, alpha=True)
    image.filepath_raw, image.file_format = str(wide), "PNG"
    image.save()
    thing.keywarp.model = str(CHARACTER)
    thing.keywarp.character = str(wide)
    bpy.context.view_layer.update()
    assert tuple(thing.keywarp.canvas) == (1024, 512)
    assert abs(thing.dimensions.x / thing.dimensions.z - 2.0) < 1e-5


def check_every_channel_can_be_keyed_and_driven_by_its_path():
    thing = add()
    for channel in iter_channels():
        path = channel_path(channel.name)
        assert thing.path_resolve(path) == channel.default
        assert thing.keyframe_insert(path, frame=1, group=channel.group)
    driver = thing.driver_add(channel_path("body_y"))
    assert driver.data_path == "keywarp.pose.body.body_y"


def check_everything_has_a_tooltip():
    for name in dir(bpy.ops.keywarp):
        kind = getattr(bpy.ops.keywarp, name).get_rna_type()
        assert kind.description, name
        for one in kind.properties:
            hidden = one.identifier == "rna_type" or one.is_hidden
            inherited = one.identifier in ("filepath", "check_existing", "filter_glob")
            assert hidden or inherited or one.description, f"{name}.{one.identifier}"
    thing = add()
    for holder in (thing.keywarp, thing.keywarp.idle, thing.keywarp.pose, bpy.context.scene.keywarp):
        for one in holder.bl_rna.properties:
            assert one.identifier in ("rna_type", "name") or one.description, one.identifier


def check_dropped_files_find_the_operator():
    handler = adding.KEYWARP_FH_character
    assert handler.bl_import_operator == "keywarp.add_character"
    kinds = handler.bl_file_extensions.split(";")
    assert {".yaml", ".png", ".jpg"} <= set(kinds)
    assert getattr(bpy.types, handler.bl_idname).is_registered


def check_the_menu_asks_for_a_file_each_time():
    """Blender gives an operator from a menu what it was given last; with a file, it would ask for none."""
    kind = bpy.ops.keywarp.add_character.get_rna_type()
    assert kind.properties["filepath"].is_skip_save


def check_paths_are_kept_beside_the_file():
    folder = Path.cwd() / "project"
    shutil.copytree(CHARACTER, folder / "figure")
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "file.blend"))
    bpy.context.preferences.filepaths.use_relative_paths = True
    thing = add(folder / "figure" / "character_model.yaml")
    assert thing.keywarp.character == "//figure/character_model.yaml"
    assert session.source_of(thing).character == str(folder / "figure" / "character_model.yaml")
