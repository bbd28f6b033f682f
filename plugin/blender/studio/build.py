# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m keywarp.plugin.blender.studio.build FIGURE.npz SCENE.blend``: a figure as a scene of Blender's.

Runs in a Python that has ``bpy``, or in Blender itself (``blender --background --python build.py -- FIGURE.npz
SCENE.blend``). Each material becomes a mesh with its texture and, where morphs move it, shape keys; the bones become
an armature; a camera and a light stand in front. The opposite of ``export.py``, which reads such a scene again.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

import bpy
import numpy as np

VERSION = 1
_LEAF = 0.1
"""Length of bones without children, in units of the figure."""


def main(arguments: list[str]) -> int:
    """Write the scene; the exit status. What is wrong is said in the last line of output."""
    source, target = Path(arguments[0]), Path(arguments[1])
    try:
        bpy.ops.wm.read_factory_settings(use_empty=True)
        build(source)
        unfinished = target.with_name(f"{target.stem}.unfinished.blend")
        bpy.ops.wm.save_as_mainfile(filepath=str(unfinished), compress=True, copy=True)
        unfinished.replace(target)
    except Exception as error:  # whatever is wrong with the file is the file's fault
        sys.stdout.write(f"\n{' '.join(str(error).split()) or type(error).__name__}\n")
        return 2
    return 0


def build(source: Path) -> list[Any]:
    """Add a figure's file to the open scene; its objects, the armature first."""
    with np.load(source, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    about = json.loads(arrays["about"].tobytes())
    if about.get("keywarp_figure") != VERSION:
        raise ValueError("it is no figure of this version of keywarp")
    collection = bpy.data.collections.new(about["name"])
    bpy.context.scene.collection.children.link(collection)
    armature = _armature(arrays, about, collection)
    objects = [armature]
    for index, said in enumerate(about["materials"]):
        mesh = _Part(arrays, about, index).object(said, armature)
        if mesh is not None:
            collection.objects.link(mesh)
            objects.append(mesh)
    _stage(collection, float(about["field_degrees"]))
    for name in ("licence", "credit"):
        armature[name] = about.get(name, "")
    return objects


def _axes(points: Any) -> Any:
    """To Blender's axes: up is z, and the front -y."""
    return np.asarray(points, np.float32)[..., [0, 2, 1]]


def _armature(arrays: Mapping[str, Any], about: Mapping[str, Any], collection: Any) -> Any:
    data = bpy.data.armatures.new(about["name"])
    armature = bpy.data.objects.new(about["name"], data)
    collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    heads, parents = _axes(arrays["bone_heads"]), arrays["bone_parents"].tolist()
    made = [data.edit_bones.new(name) for name in about["bones"]]
    for index, bone in enumerate(made):
        children = [child for child, parent in enumerate(parents) if parent == index]
        bone.head = heads[index]
        above = [child for child in children if heads[child][2] > heads[index][2] + 1e-4]
        up = heads[above[0]] if len(children) == 1 and above else heads[index] + np.array([0, 0, _LEAF])
        bone.tail = up
        if parents[index] >= 0:
            bone.parent = made[parents[index]]
    bpy.ops.object.mode_set(mode="OBJECT")
    return armature


class _Part:
    """What one material covers."""

    def __init__(self, arrays: Mapping[str, Any], about: Mapping[str, Any], index: int) -> None:
        self.arrays, self.about = arrays, about
        self.triangles = arrays["triangles"][arrays["surface"] == index]
        self.vertices, corners = np.unique(self.triangles, return_inverse=True)
        self.corners = corners.reshape(-1, 3)

    def object(self, said: Mapping[str, Any], armature: Any) -> Optional[Any]:
        """Its mesh, moved by the armature; nothing where the material covers nothing."""
        if not len(self.triangles):
            return None
        mesh = bpy.data.meshes.new(said["name"])
        # Blender's triangles are counter-clockwise as seen from outside.
        faces = self.corners[:, ::-1]
        mesh.from_pydata(_axes(self.arrays["positions"][self.vertices]).tolist(), [], faces.tolist())
        self._coordinates(mesh)
        mesh.materials.append(_material(said, self.arrays))
        normals = _axes(self.arrays["normals"][self.vertices])
        mesh.normals_split_custom_set_from_vertices(normals.tolist())
        made = bpy.data.objects.new(said["name"], mesh)
        made.parent = armature
        made.modifiers.new("Armature", "ARMATURE").object = armature
        self._weights(made)
        self._keys(made)
        return made

    def _coordinates(self, mesh: Any) -> None:
        layer = mesh.uv_layers.new(name="UVMap")
        loops = np.empty(len(mesh.loops), np.int32)
        mesh.loops.foreach_get("vertex_index", loops)
        uv = self.arrays["uv"][self.vertices][loops] * np.array([1, -1]) + np.array([0, 1])
        layer.data.foreach_set("uv", uv.astype(np.float32).reshape(-1))

    def _weights(self, made: Any) -> None:
        influences, weights = (self.arrays[name][self.vertices] for name in ("influences", "weights"))
        for bone, name in enumerate(self.about["bones"]):
            share = np.where(influences == bone, weights, 0).sum(1)
            if share.any():
                group = made.vertex_groups.new(name=name)
                for vertex in np.flatnonzero(share).tolist():
                    group.add([vertex], float(share[vertex]), "REPLACE")

    def _keys(self, made: Any) -> None:
        place = np.full(len(self.arrays["positions"]), -1)
        place[self.vertices] = np.arange(len(self.vertices))
        base = self.arrays["positions"][self.vertices]
        start = 0
        for name, count in self.about["morphs"]:
            which = place[self.arrays["morph_vertices"][start : start + count]]
            offsets = self.arrays["morph_offsets"][start : start + count]
            start += count
            if not (which >= 0).any():
                continue
            if made.data.shape_keys is None:
                made.shape_key_add(name="Basis")
            moved = base.copy()
            moved[which[which >= 0]] += offsets[which >= 0]
            key = made.shape_key_add(name=name, from_mix=False)
            key.value = 0.0  # Blender 5.2 makes keys that are switched on
            key.data.foreach_set("co", _axes(moved).reshape(-1))


def _material(said: Mapping[str, Any], arrays: Mapping[str, Any]) -> Any:
    material = bpy.data.materials.new(said["name"])
    material.use_nodes = True
    material.use_backface_culling = not said.get("both_sides", False)
    nodes, links = material.node_tree.nodes, material.node_tree.links
    shader = next(node for node in nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Roughness"].default_value = 1.0
    shader.inputs["Specular IOR Level"].default_value = 0.0
    pixels = arrays.get(f"texture_{said['texture']}")
    clear = said["colour"][3] < 1 or said["alpha"] == "cut"
    if pixels is None and not clear:
        shader.inputs["Base Color"].default_value = (*_linear(said["colour"][:3]), 1.0)
        return material
    image = nodes.new("ShaderNodeTexImage")
    image.image = _image(said["name"], pixels, said["colour"])
    image.location = (-320, 300)
    links.new(image.outputs["Color"], shader.inputs["Base Color"])
    if clear:
        links.new(image.outputs["Alpha"], shader.inputs["Alpha"])
        material.surface_render_method = "BLENDED" if said["alpha"] == "blend" else "DITHERED"
    return material


def _image(name: str, pixels: Optional[Any], colour: Sequence[float]) -> Any:
    """A packed image: the texture times the material's colour."""
    if pixels is None:
        pixels = np.full((1, 1, 4), 255, np.uint8)
    height, width = pixels.shape[:2]
    values = pixels[::-1].astype(np.float32) / 255 * np.array(colour, np.float32)
    image = bpy.data.images.new(name, width, height, alpha=True)
    image.alpha_mode = "CHANNEL_PACKED"
    image.pixels.foreach_set(values.reshape(-1))
    image.pack()
    return image


def _linear(encoded: Sequence[float]) -> list[float]:
    colour = np.asarray(encoded, float)
    low, high = colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4
    return [float(x) for x in np.where(colour <= 0.04045, low, high)]


def _stage(collection: Any, field: float) -> None:
    """A camera whose angle of view is ``field`` degrees and a light in front of the face, and colours as they were
    painted."""
    scene = bpy.context.scene
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.data.angle = np.radians(field)
    camera.location, camera.rotation_euler = (0.0, -5.2, 0.47), (np.pi / 2, 0.0, 0.0)
    light = bpy.data.objects.new("Light", bpy.data.lights.new("Light", "SUN"))
    light.data.energy = 2.5
    light.rotation_euler = (np.radians(62), 0.0, np.radians(-23))
    for each in (camera, light):
        collection.objects.link(each)
    scene.camera = camera
    scene.view_settings.view_transform = "Standard"
    scene.render.resolution_x = scene.render.resolution_y = 1024
    scene.render.film_transparent = True
    if scene.world is None:
        scene.world = bpy.data.worlds.new("World")
    scene.world.use_nodes = True
    background = next(node for node in scene.world.node_tree.nodes if node.type == "BACKGROUND")
    background.inputs["Color"].default_value = (1.0, 1.0, 1.0, 1.0)
    background.inputs["Strength"].default_value = 0.45


if __name__ == "__main__":
    given = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:]
    sys.exit(main(given))
