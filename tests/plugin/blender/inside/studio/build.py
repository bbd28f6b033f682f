# SPDX-License-Identifier: GPL-3.0-or-later
"""Generated characters as scenes: Blender poses what was built, and the exporter finds again what was written."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix

from keywarp.core.layered import FIELD_DEGREES
from keywarp.core.studio.figure_file import read_figure
from keywarp.core.studio.rig import BonePose, Rig, rotation
from keywarp.plugin.blender.studio import build, export

FIGURE = Path(os.environ["KEYWARP_TEST_GENERATED"])
"""A generated character; what generates it does not run in Blender."""


def built():
    """The character's figure, and the scene that is built of it."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    return read_figure(FIGURE), build.build(FIGURE)


def places(objects):
    """By material, where Blender puts the vertices, in the figure's axes."""
    graph = bpy.context.evaluated_depsgraph_get()
    graph.update()
    found = {}
    for each in objects[1:]:
        mesh = each.evaluated_get(graph).to_mesh()
        points = np.empty(3 * len(mesh.vertices), np.float32)
        mesh.vertices.foreach_get("co", points)
        found[each.data.materials[0].name] = points.reshape(-1, 3)[:, [0, 2, 1]]
    return found


def expected(figure, positions):
    """By material, the vertices that it uses."""
    return {
        material.name: positions[np.unique(figure.triangles[figure.surface == i])]
        for i, material in enumerate(figure.materials)
    }


def compare(figure, positions, objects, tolerance):
    """Hold Blender's places against ours."""
    ours, theirs = expected(figure, positions), places(objects)
    assert ours.keys() == theirs.keys()
    for name, points in ours.items():
        np.testing.assert_allclose(theirs[name], points, atol=tolerance, err_msg=name)


def check_blender_moves_it_as_the_studio_does():
    figure, objects = built()
    compare(figure, figure.positions, objects, 1e-5)
    # A blink with an open mouth, and a turned head.
    moved = figure.positions.copy()
    for name in ("blink_left", "mouth_aa"):
        morph = figure.morphs[name]
        moved[morph.vertices] += morph.offsets
        for each in objects[1:]:
            keys = each.data.shape_keys
            if keys is not None and name in keys.key_blocks:
                keys.key_blocks[name].value = 1.0
    compare(figure, moved, objects, 1e-5)
    turn = rotation(8.0, 12.0, -5.0)
    to_blender = np.array([[1, 0, 0], [0, 0, 1], [0, 1, 0]], float)
    matrix = Matrix((to_blender @ turn @ to_blender).tolist()).to_4x4()
    armature = objects[0]
    for name in ("neck", "head"):
        bone = armature.pose.bones[name]
        own = bone.bone.matrix_local.to_3x3().to_4x4()
        bone.rotation_mode = "QUATERNION"
        bone.rotation_quaternion = (own.inverted() @ matrix @ own).to_quaternion()
    rig = Rig.of(figure)
    posed, _ = rig.posed(moved, figure.normals, BonePose(head=doubled(turn)))
    compare(figure, posed, objects, 2e-4)


def doubled(turn):
    """The pitch, yaw and roll of a rotation taken twice, which neck and head share."""
    both = turn @ turn
    pitch = -np.arcsin(both[1, 2])
    yaw, roll = np.arctan2(both[0, 2], both[2, 2]), np.arctan2(both[1, 0], both[1, 1])
    return tuple(float(each) for each in np.degrees([pitch, yaw, roll]))


def check_the_exporter_finds_it_again():
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        figure, objects = built()
        assert objects[0]["licence"] == "CC0-1.0"
        assert np.isclose(bpy.context.scene.camera.data.angle, np.radians(FIELD_DEGREES))
        assert build.main([str(FIGURE), str(place / "scene.blend")]) == 0
        assert export.main([str(place / "scene.blend"), str(place / "again.npz")]) == 0
        again = read_figure(place / "again.npz")
        assert sorted(again.morphs) == sorted(figure.morphs)
        assert sorted(again.bone_names) == sorted(figure.bone_names)
        assert len(again.triangles) == len(figure.triangles)
        ours = np.sort(figure.positions[figure.triangles].mean(1), axis=0)
        theirs = np.sort(again.positions[again.triangles].mean(1), axis=0)
        np.testing.assert_allclose(theirs, ours, atol=1e-5)


def check_what_is_no_figure_is_said():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "figure.npz"
        path.write_bytes(b"nothing")
        assert build.main([str(path), str(path.with_suffix(".blend"))]) == 2
        assert not path.with_suffix(".blend").exists()
