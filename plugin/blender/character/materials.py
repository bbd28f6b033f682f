# SPDX-License-Identifier: GPL-3.0-or-later
"""The plane on which a character stands in a scene, and its material: the picture as it is, without light.

Emission of the image's colour, mixed with transparency by its alpha: under the view transform Standard a render
shows the engine's frame, in Cycles and in EEVEE.
"""

from __future__ import annotations

from typing import Any

import bpy

from .. import compat


def new_plane(name: str, size: tuple[int, int], height: float = 2.0) -> bpy.types.Mesh:
    """A rectangle of the picture's aspect, upright, seen from the front view (-Y), its foot at the origin."""
    half = height * size[0] / size[1] / 2
    mesh = bpy.data.meshes.new(name)
    corners = ((-half, 0, 0), (half, 0, 0), (half, 0, height), (-half, 0, height))
    mesh.from_pydata(corners, [], [(0, 1, 2, 3)])
    layer = mesh.uv_layers.new(name="UVMap")
    layer.data.foreach_set("uv", [0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0])
    mesh.update()
    return mesh


def set_aspect(mesh: bpy.types.Mesh, size: tuple[int, int]) -> None:
    """Give a plane that ``new_plane`` has made another aspect, its height kept."""
    if len(mesh.vertices) == 4 and mesh.library is None:
        height = max(vertex.co.z for vertex in mesh.vertices) - min(vertex.co.z for vertex in mesh.vertices)
        half = height * size[0] / size[1] / 2
        for vertex in mesh.vertices:
            vertex.co.x = half if vertex.co.x > 0 else -half
        mesh.update()


def new_material(name: str, image: bpy.types.Image) -> bpy.types.Material:
    """Unlit, with the image's alpha."""
    material = bpy.data.materials.new(name)
    tree = compat.use_material_nodes(material)
    tree.nodes.clear()
    texture = _node(tree, "ShaderNodeTexImage", -500, 100)
    texture.image = image
    texture.extension = "CLIP"
    emission = _node(tree, "ShaderNodeEmission", -150, 0)
    clear = _node(tree, "ShaderNodeBsdfTransparent", -150, 150)
    mix = _node(tree, "ShaderNodeMixShader", 100, 100)
    output = _node(tree, "ShaderNodeOutputMaterial", 350, 100)
    for source, target in (
        (texture.outputs["Color"], emission.inputs["Color"]),
        (texture.outputs["Alpha"], mix.inputs[0]),
        (clear.outputs[0], mix.inputs[1]),
        (emission.outputs[0], mix.inputs[2]),
        (mix.outputs[0], output.inputs["Surface"]),
    ):
        tree.links.new(source, target)
    # Dithered transparency, EEVEE's default, would turn soft edges into noise.
    material.surface_render_method = "BLENDED"
    material.use_transparency_overlap = True
    return material


def _node(tree: Any, kind: str, x: float, y: float) -> Any:
    node = tree.nodes.new(kind)
    node.location = x, y
    return node


def give_own_image(thing: bpy.types.Object) -> None:
    """Give a duplicated character an image of its own, and materials that show it."""
    old = thing.keywarp.image
    new = old.copy()
    thing.keywarp.image = new
    swap_image(thing, old, new)


def swap_image(thing: bpy.types.Object, old: bpy.types.Image, new: bpy.types.Image) -> None:
    """Have the object's materials show another image; a material that others use too is copied for it."""
    for slot in thing.material_slots:
        material = slot.material
        if material is None or old not in [node.image for node in _textures(material)]:
            continue
        if material.library is None and material.users == 1 + material.use_fake_user:
            own = material
        else:
            own = material.copy()
            slot.link = "OBJECT"
            slot.material = own
        for node in _textures(own):
            if node.image == old:
                node.image = new


def _textures(material: bpy.types.Material) -> list[Any]:
    tree = material.node_tree
    return [] if tree is None else [node for node in tree.nodes if node.bl_idname == "ShaderNodeTexImage"]
