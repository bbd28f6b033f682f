# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks over many repetitions, in a real Blender: no error, no growth of memory, nothing left behind."""

from __future__ import annotations

import gc
import importlib
import sys
import weakref
from pathlib import Path

import bpy
from blender_side import FULL
from pictures import add, keyed, settle, watched

import keywarp.plugin.blender as extension
from keywarp.plugin.blender import session

NAME = extension.__name__
GROWTH = 50 << 20
"""Bytes."""
#: Full counts on the newest Blender that is tested in full, a tenth elsewhere.
WHOLE = FULL and bpy.app.version >= (5, 2)


def times(count):
    return count if WHOLE else count // 10


def resident():
    """Bytes of memory that this process takes."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096


def mapped_rings():
    """Frames' files that are mapped into this process."""
    lines = Path("/proc/self/maps").read_text(encoding="utf-8").splitlines()
    return {line.split(maxsplit=5)[-1] for line in lines if "keywarp" in line and ".so" not in line}


def small():
    with watched():
        thing = add()
        thing.keywarp.preview_mode, thing.keywarp.preview_size = "FIXED", 96
        keyed(thing)
    return thing


def assert_grows_nothing(count, act, warm_up=5):
    """That ``count`` repetitions, after the first few, add no memory to speak of."""
    with watched():
        for i in range(warm_up):
            act(i)
        before = resident()
        for i in range(count):
            act(i)
        settle()
        grown = resident() - before
    sys.stdout.write(f"{count} times: {grown / 2**20:.1f} MiB more\n")
    assert grown < GROWTH, f"{grown / 2**20:.1f} MiB more after {count} times"


def check_frame_changes_grow_nothing():
    thing = small()
    assert_grows_nothing(times(1000), lambda i: bpy.context.scene.frame_set(1 + i % 40, subframe=i % 7 / 7))
    assert thing.keywarp.message == ""


def check_adding_and_removing_grow_nothing():
    def act(_):
        thing = add()
        image, mesh, material = thing.keywarp.image, thing.data, thing.material_slots[0].material
        bpy.data.objects.remove(thing)
        for held, kind in ((image, "images"), (mesh, "meshes"), (material, "materials")):
            getattr(bpy.data, kind).remove(held)

    assert_grows_nothing(times(200), act, 3)
    bpy.context.scene.frame_set(2)
    assert len(session._State.streams) <= sum(session.MOST_STREAMS.values())


def check_undo_and_redo_grow_nothing():
    thing = small()
    bpy.ops.ed.undo_push(message="added")

    def act(i):
        thing = bpy.context.object
        thing.keywarp.pose.head.neck_z = (i % 9) / 9
        bpy.ops.ed.undo_push(message="posed")
        bpy.ops.ed.undo()
        bpy.ops.ed.redo()

    assert_grows_nothing(times(100), act)
    assert bpy.context.object.keywarp.message == ""
    assert thing is not None


def check_nothing_is_left_behind():
    small()
    bpy.context.scene.frame_set(2)
    pid = session.engine().state.pid
    assert pid
    assert mapped_rings()
    extension.unregister()
    gc.collect()
    assert not Path(f"/proc/{pid}").exists()
    assert not mapped_rings()
    extension.register()


def check_reloading_the_extension_leaves_nothing():
    """With every module imported anew, as when Blender updates it. The last check here: from then on this file's own
    imports are those of an extension that is gone."""

    def act(_):
        old = sys.modules[NAME]
        gone.append(weakref.ref(sys.modules[session.__name__]))
        old._IS_EXTENSION = True
        old.unregister()
        assert [name for name in sys.modules if name.split(".")[0] == "keywarp"] == []
        new = importlib.import_module(NAME)
        assert new is not old
        new.register()
        handlers = [list(getattr(bpy.app.handlers, name)) for name in ("frame_change_post", "load_post")]
        ours = [h for each in handlers for h in each if "keywarp" in getattr(h, "__module__", "")]
        counted.append(len(ours))

    counted, gone = [], []
    small()
    assert_grows_nothing(times(20) or 2, act, 1)
    assert len(set(counted)) == 1
    assert [each for each in gone[1:] if each() is not None] == []  # the first one is held by these checks
    del sys.modules["blender_side"]
    importlib.import_module("blender_side").set_engine()
    bpy.context.scene.frame_set(3)
    assert bpy.context.object.keywarp.message == ""
