# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks that a stranger's .blend file runs, reads and writes nothing, in a real Blender."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import bpy
import numpy as np
from blender_side import CHARACTER, set_engine
from pictures import add, keyed, live_values, render_settings

from keywarp.plugin.blender import session
from keywarp.plugin.blender.character import trust
from keywarp.plugin.blender.showing import live


def strangers_file():
    """A saved file with a character in a folder that this user has not confirmed."""
    folder = Path.cwd() / "theirs"
    shutil.copytree(CHARACTER, folder)
    thing = add(folder / "character_model.yaml")
    keyed(thing)
    path = str(Path.cwd() / "stranger.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_factory_settings()
    trust._write([])
    session.restart()
    return path


def the_character():
    thing = next(thing for thing in bpy.data.objects if thing.keywarp.is_character)
    bpy.context.view_layer.objects.active = thing
    return thing


def check_an_unconfirmed_file_reads_and_runs_nothing():
    path = strangers_file()
    here = {file: file.stat().st_mtime_ns for file in Path.cwd().rglob("*")}
    bpy.ops.wm.open_mainfile(filepath=path)
    thing = the_character()
    bpy.context.scene.frame_set(3)
    thing.keywarp.pose.head.head_y = 1.0
    bpy.context.view_layer.update()
    assert not session.has_engine()
    assert "press Allow" in thing.keywarp.message
    assert str(Path.cwd() / "theirs") in thing.keywarp.message
    assert np.ptp(live_values(thing.keywarp.image)) == 0
    render_settings("KEYWARP", (64, 64))
    try:
        bpy.ops.render.render()
    except RuntimeError as error:
        assert "press Allow" in str(error)
    else:
        raise AssertionError("it rendered")
    assert not session.has_engine()
    assert {file: file.stat().st_mtime_ns for file in Path.cwd().rglob("*")} == here


def check_allowing_shows_it_and_is_remembered():
    path = strangers_file()
    bpy.ops.wm.open_mainfile(filepath=path)
    assert the_character().keywarp.message
    set_engine()
    assert bpy.ops.keywarp.allow_paths() == {"FINISHED"}
    assert the_character().keywarp.message == ""
    assert np.ptp(live_values(the_character().keywarp.image)) > 0
    trust.forget()
    bpy.ops.wm.open_mainfile(filepath=path)
    assert the_character().keywarp.message == ""


def check_a_farm_allows_folders_by_its_environment():
    path = strangers_file()
    os.environ[trust.ALLOW] = str(Path.cwd() / "theirs")
    try:
        bpy.ops.wm.open_mainfile(filepath=path)
        assert the_character().keywarp.message == ""
    finally:
        del os.environ[trust.ALLOW]


def check_a_model_cannot_lead_elsewhere():
    thing = add()
    for name in ("../elsewhere", "sub/model", "//../elsewhere", "/elsewhere", "..", ".", "...//."):
        thing.keywarp.is_character = False  # as a file would bring it, without its user's consent
        thing.keywarp.model = name
        thing.keywarp.is_character = True
        assert thing.keywarp.model == name
        try:
            session.source_of(thing)
        except session.SourceError:
            continue
        raise AssertionError(name)


def check_a_bare_name_is_no_folder_of_the_file_s():
    """Blender's current folder may be the one of a stranger's file."""
    thing = add()
    shutil.copytree(CHARACTER, Path.cwd() / "beside")
    thing.keywarp.is_character = False
    thing.keywarp.model = "beside"
    thing.keywarp.is_character = True
    live.refresh(thing)
    assert "beside" in thing.keywarp.message, thing.keywarp.message


def check_nothing_of_a_broken_trust_file_is_believed():
    for text in ("", "{}", "[1, null", '["/"]'):
        trust._file().write_text(text, encoding="utf-8")
        trust.forget()
        assert not trust.is_confirmed(str(Path.cwd() / "any.yaml"))
    trust.confirm([str(Path.cwd() / "any.yaml")])
    assert trust.is_confirmed(str(Path.cwd() / "sub" / ".." / "any.yaml"))
    assert not trust.is_confirmed(str(Path.cwd() / "any.yaml.png"))
