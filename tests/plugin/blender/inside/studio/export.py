# SPDX-License-Identifier: GPL-3.0-or-later
"""Characters that Blender opens, as figures: what Blender itself makes of a posed character is the oracle."""

from __future__ import annotations

import tempfile
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix, Vector

from keywarp.core.studio.figure_file import read_figure
from keywarp.core.studio.rig import BonePose, Rig, part_of, rotation
from keywarp.plugin.blender.studio import export

BACK = Matrix.Rotation(np.pi, 4, "Z")
#: From the figure's axes (x to its left, y up, z out of its back) to Blender's, of a character that faces -y.
TO_BLENDER = np.array([[1, 0, 0], [0, 0, 1], [0, 1, 0]], float)


def character(turned=False):
    """A head and a chest on three bones, with two shape keys, facing -y, or +y."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    turn = BACK if turned else Matrix.Identity(4)
    bones = bpy.data.armatures.new("Armature")
    armature = bpy.data.objects.new("Armature", bones)
    bpy.context.scene.collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    places = {"spine": 1.0, "neck": 1.5, "head": 1.6}
    above = None
    for name, z in places.items():
        bone = bones.edit_bones.new(name)
        bone.head, bone.tail, bone.parent = (
            turn @ Vector((0, 0.02, z)),
            turn @ Vector((0, 0.02, z + 0.1)),
            above,
        )
        above = bone
    for side, x in (("l", 0.3), ("r", -0.3)):
        bone = bones.edit_bones.new(f"arm.{side}")
        bone.head, bone.tail = turn @ Vector((x, 0, 1.4)), turn @ Vector((x, 0, 1.3))
        bone.parent = bones.edit_bones["spine"]
    bpy.ops.object.mode_set(mode="OBJECT")
    bpy.ops.mesh.primitive_uv_sphere_add(radius=0.25, location=(0, 0, 1.8), segments=16, ring_count=10)
    ball = bpy.context.object
    ball.data.transform(turn @ ball.matrix_world)
    ball.matrix_world = Matrix.Identity(4)
    for name, low, high in (("neck", 0.0, 1.66), ("head", 1.66, 9.0)):
        chosen = [v.index for v in ball.data.vertices if low <= v.co.z < high]
        ball.vertex_groups.new(name=name).add(chosen, 1.0, "REPLACE")
    ball.parent = armature
    ball.modifiers.new("Armature", "ARMATURE").object = armature
    ball.shape_key_add(name="Basis")
    for name, factor in (("blink", 0.05), ("aa", -0.04)):
        key = ball.shape_key_add(name=name)
        for vertex, point in zip(ball.data.vertices, key.data):
            point.co.z += factor * (vertex.co.z > 1.8)
    ball.data.materials.append(coloured())
    return armature, ball


def coloured():
    material = bpy.data.materials.new("Face")
    material.use_nodes = True
    material.node_tree.nodes["Principled BSDF"].inputs["Base Color"].default_value = (0.5, 0.2, 0.1, 1)
    return material


def exported(suffix):
    folder = Path(tempfile.mkdtemp())
    source = folder / f"character{suffix}"
    if suffix == ".blend":
        bpy.ops.wm.save_as_mainfile(filepath=str(source), copy=True)
    else:
        bpy.ops.export_scene.gltf(filepath=str(source), export_format="GLB")
    assert export.main([str(source), str(folder / "figure.npz")]) == 0
    return read_figure(folder / "figure.npz")


def posed_in_blender(pose, values):
    """Where Blender itself puts the vertices of the only mesh, in the axes of a figure."""
    armature = next(each for each in bpy.data.objects if each.type == "ARMATURE")
    armature.data.pose_position = "POSE"
    mesh = next(each for each in bpy.data.objects if each.type == "MESH" and each.modifiers)
    for name, value in values.items():
        mesh.data.shape_keys.key_blocks[name].value = value
    half = TO_BLENDER @ part_of(rotation(*pose.head), 0.5) @ TO_BLENDER.T
    for name in ("neck", "head"):
        bone = armature.pose.bones[name]
        rest = bone.bone.matrix_local.to_3x3()
        bone.rotation_mode = "QUATERNION"
        bone.rotation_quaternion = (rest.inverted() @ Matrix(half.tolist()) @ rest).to_quaternion()
    graph = bpy.context.evaluated_depsgraph_get()
    evaluated = mesh.evaluated_get(graph)
    places = np.array([mesh.matrix_world @ vertex.co for vertex in evaluated.to_mesh().vertices])
    return places @ TO_BLENDER


def ours(figure, pose, values):
    positions = figure.positions.copy()
    for name, value in values.items():
        morph = figure.morphs[name]
        positions[morph.vertices] += morph.offsets * np.float32(value)
    return Rig.of(figure).posed(positions, figure.normals, pose)[0]


def same_points(a, b):
    """Whether two clouds are one, however often a texture's seam repeats a vertex."""
    away = np.linalg.norm(a[:, None] - b[None], axis=2)
    assert away.min(1).max() < 1e-4, away.min(1).max()
    assert away.min(0).max() < 1e-4, away.min(0).max()


def check_figures_move_as_blender_moves_them():
    pose, values = BonePose(head=(12.0, -18.0, 7.0)), {"blink": 0.6, "aa": 1.0}
    for suffix in (".glb", ".blend"):
        character()
        figure = exported(suffix)
        assert {"neck", "head"} <= set(figure.bone_names)
        assert set(figure.morphs) == {"blink", "aa"}
        same_points(ours(figure, BonePose(), {}), posed_in_blender(BonePose(), {"blink": 0.0, "aa": 0.0}))
        same_points(ours(figure, pose, values), posed_in_blender(pose, values))


def check_surfaces_face_outwards_and_keep_their_colour():
    character()
    figure = exported(".glb")
    corners = figure.positions[figure.triangles]
    middle = figure.positions.mean(0)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    # Clockwise from outside in left-handed axes: the right-handed product points outward.
    outward = np.einsum("ij,ij->i", normal, corners.mean(1) - middle)
    assert (outward > 0).mean() > 0.99, (outward > 0).mean()
    assert (np.einsum("ij,ij->i", figure.normals, figure.positions - middle) > 0).all()
    # 0.5, 0.2 and 0.1 of linear light.
    colour = figure.materials[int(figure.surface[0])].colour
    assert np.allclose(colour, (0.7354, 0.4845, 0.3492, 1), atol=2e-3), colour


def check_a_character_that_faces_backwards_is_turned():
    character()
    front = exported(".glb")
    character(turned=True)
    back = exported(".glb")
    same_points(front.positions, back.positions)
    assert np.allclose(front.bone_heads, back.bone_heads, atol=1e-5)


def check_what_blender_cannot_open_is_said():
    folder = Path(tempfile.mkdtemp())
    broken = folder / "broken.vrm"
    broken.write_bytes(b"glTF\x02\x00\x00\x00 not a character")
    assert export.main([str(broken), str(folder / "figure.npz")]) == 2
    assert not list(folder.glob("*.npz*"))
