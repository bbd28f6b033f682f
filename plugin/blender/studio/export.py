# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m keywarp.plugin.blender.studio.export CHARACTER FIGURE.npz``: a character that Blender opens, as arrays.

Runs in a Python that has ``bpy``, or in Blender itself (``blender --background --python export.py -- CHARACTER
FIGURE.npz``). ``.glb``, ``.gltf`` and ``.vrm`` go through Blender's own importer; ``.blend`` files are opened without
their scripts. What is written is the studio's figure file: x to the character's left, y up, z out of its back.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import bpy
import numpy as np

VERSION = 1
_INFLUENCES = 4
_MOVES = 1e-6
"""Offsets of shape keys below this, in Blender's units, are none."""
_LEFT, _RIGHT = (
    re.compile(rf"(^|[^a-z])({letter}|{word})([^a-z]|$)|{word}", re.IGNORECASE)
    for letter, word in (("l", "left"), ("r", "right"))
)
_NO_COLOUR = ("Normal", "Roughness", "Metallic", "Alpha", "Fac", "Factor", "Vector", "Strength")
"""Inputs of shader nodes that lead to no colour of a surface."""


def main(arguments: list[str]) -> int:
    """Write the figure file; the exit status. What is wrong is said in the last line of output."""
    source, target = Path(arguments[0]), Path(arguments[1])
    try:
        arrays = figure_arrays(source)
    except Exception as error:  # whatever an importer stumbles over is the file's fault
        sys.stdout.write(f"\n{' '.join(str(error).split()) or type(error).__name__}\n")
        return 2
    unfinished = target.with_name(target.name + ".unfinished")
    with unfinished.open("wb") as file:
        np.savez(file, **arrays)
    unfinished.replace(target)
    return 0


def figure_arrays(source: Path) -> dict[str, Any]:
    """Open a character and gather what is needed to draw it."""
    document = _open(source)
    meshes, armature = _actors()
    if not meshes:
        raise ValueError("there is no mesh in it that could be drawn")
    gathering = _Gathering(armature, document)
    for mesh in meshes:
        gathering.add(mesh)
    return gathering.arrays(source.stem)


def _open(source: Path) -> dict[str, Any]:
    """The file in a fresh scene; glTF's own JSON, where it is glTF."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    kind = source.suffix.lower()
    if kind == ".blend":
        bpy.ops.wm.open_mainfile(filepath=str(source), load_ui=False, use_scripts=False)
        return {}
    if kind == ".gltf":
        bpy.ops.import_scene.gltf(filepath=str(source))
        return dict(json.loads(source.read_text(encoding="utf-8")))
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "character.glb"  # the importer goes by the ending
        shutil.copyfile(source, copy)
        bpy.ops.import_scene.gltf(filepath=str(copy))
    data = source.read_bytes()
    return dict(json.loads(data[20 : 20 + int.from_bytes(data[12:16], "little")]))


def _actors() -> tuple[list[Any], Any]:
    """The meshes that are seen, and the armature that moves most of them."""
    objects = list(bpy.context.scene.objects)
    armatures = [each for each in objects if each.type == "ARMATURE"]
    shapes = {bone.custom_shape for armature in armatures for bone in armature.pose.bones}
    meshes = [
        each
        for each in objects
        if each.type == "MESH" and each not in shapes and not each.hide_render and len(each.data.polygons)
    ]

    def moved(armature: Any) -> int:
        return sum(_armature_of(mesh) == armature for mesh in meshes)

    return meshes, max(armatures, key=moved, default=None)


def _armature_of(mesh: Any) -> Any:
    return next((each.object for each in mesh.modifiers if each.type == "ARMATURE"), mesh.parent)


class _Gathering:
    """The arrays of a figure, mesh by mesh."""

    def __init__(self, armature: Any, document: dict[str, Any]) -> None:
        self._armature, self._document = armature, document
        for each in bpy.data.armatures:
            each.pose_position = "REST"
        self._bones = list(armature.data.bones) if armature else []
        self._bone_index = {bone.name: i for i, bone in enumerate(self._bones)}
        heads = [armature.matrix_world @ bone.head_local for bone in self._bones]
        self._backwards = _faces_backwards([(bone.name, head.x) for bone, head in zip(self._bones, heads)])
        self._heads = self._axes(np.array([tuple(head) for head in heads], np.float32).reshape(-1, 3))
        self._materials: list[dict[str, Any]] = []
        self._material_index: dict[Any, int] = {}
        self._images: list[Any] = []
        self._parts: list[dict[str, Any]] = []
        self._count = 0
        self._morphs: dict[str, list[tuple[Any, Any]]] = {}

    def _axes(self, points: Any) -> Any:
        """From Blender's axes, whose -y is the character's front, or its back."""
        turned = points[:, [0, 2, 1]].astype(np.float32)
        return turned * np.array([-1, 1, -1], np.float32) if self._backwards else turned

    def add(self, mesh: Any) -> None:
        """Take a mesh as its modifiers leave it, but unposed."""
        blocks = _released(mesh)
        part = self._surface(mesh)
        base = self._places(mesh)
        for block, name in zip(blocks, _key_names(mesh, self._document)):
            block.value = 1.0
            now = self._places(mesh)
            block.value = 0.0
            if now.shape != base.shape:
                continue  # a modifier that makes other vertices of other shapes
            offsets = (now - base)[part["vertex_of"]]
            moved = np.flatnonzero(np.abs(offsets).max(1) > _MOVES)
            if len(moved):
                self._morphs.setdefault(name, []).append((moved + self._count, offsets[moved]))
        part["positions"] = base[part["vertex_of"]]
        part["triangles"] = part["triangles"] + self._count
        self._parts.append(part)
        self._count += len(part["positions"])

    def _places(self, mesh: Any) -> Any:
        graph = bpy.context.evaluated_depsgraph_get()
        graph.update()
        evaluated = mesh.evaluated_get(graph)
        data = evaluated.to_mesh()
        points = np.empty(3 * len(data.vertices), np.float32)
        data.vertices.foreach_get("co", points)
        evaluated.to_mesh_clear()
        world = np.array(mesh.matrix_world, np.float32)
        return self._axes(points.reshape(-1, 3) @ world[:3, :3].T + world[:3, 3])

    def _surface(self, mesh: Any) -> dict[str, Any]:
        """Everything but the places of a mesh's vertices; where texture coordinates differ, vertices are divided."""
        graph = bpy.context.evaluated_depsgraph_get()
        evaluated = mesh.evaluated_get(graph)
        data = evaluated.to_mesh()
        data.calc_loop_triangles()
        corners = np.empty(len(data.loops), np.int32)
        data.loops.foreach_get("vertex_index", corners)
        uv = np.zeros((len(corners), 2), np.float32)
        if data.uv_layers.active is not None:
            data.uv_layers.active.data.foreach_get("uv", uv.reshape(-1))
        normals = np.empty(3 * len(corners), np.float32)
        data.corner_normals.foreach_get("vector", normals)
        triangles = np.empty((len(data.loop_triangles), 3), np.int32)
        data.loop_triangles.foreach_get("loops", triangles.reshape(-1))
        surface = np.empty(len(triangles), np.int32)
        data.loop_triangles.foreach_get("material_index", surface)
        slots = [self._material(slot.material) for slot in mesh.material_slots] or [self._material(None)]
        keys = np.concatenate((corners[:, None], np.rint(uv * 65536).astype(np.int64)), axis=1)
        _, first, place = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        influences, weights = self._weights(mesh, data)
        evaluated.to_mesh_clear()
        world = np.array(mesh.matrix_world, np.float32)[:3, :3]
        turned = normals.reshape(-1, 3)[first] @ np.linalg.inv(world)
        length = np.maximum(np.linalg.norm(turned, axis=1, keepdims=True), 1e-9)
        vertex_of = corners[first]
        return {
            "vertex_of": vertex_of,
            "normals": self._axes(turned / length),
            "uv": uv[first] * np.array([1, -1], np.float32) + np.array([0, 1], np.float32),
            # Blender's are counter-clockwise as seen from outside.
            "triangles": place.reshape(-1)[triangles][:, ::-1].astype(np.int32),
            "surface": np.array(slots, np.int32)[np.minimum(surface, len(slots) - 1)],
            "influences": influences[vertex_of],
            "weights": weights[vertex_of],
        }

    def _weights(self, mesh: Any, data: Any) -> tuple[Any, Any]:
        influences = np.zeros((len(data.vertices), _INFLUENCES), np.int32)
        weights = np.zeros((len(data.vertices), _INFLUENCES), np.float32)
        if mesh.parent_type == "BONE" and mesh.parent_bone in self._bone_index:
            influences[:, 0], weights[:, 0] = self._bone_index[mesh.parent_bone], 1.0
            return influences, weights
        bone_of = [self._bone_index.get(group.name, -1) for group in mesh.vertex_groups]
        for vertex in data.vertices:
            found = [
                (each.weight, bone_of[each.group]) for each in vertex.groups if each.group < len(bone_of)
            ]
            strongest = sorted((each for each in found if each[1] >= 0 and each[0] > 0), reverse=True)
            strongest = strongest[:_INFLUENCES]
            total = sum(weight for weight, _ in strongest) or 1.0
            for column, (weight, bone) in enumerate(strongest):
                influences[vertex.index, column], weights[vertex.index, column] = bone, weight / total
        return influences, weights

    def _material(self, material: Any) -> int:
        if material not in self._material_index:
            self._material_index[material] = len(self._materials)
            self._materials.append(self._look(material))
        return self._material_index[material]

    def _look(self, material: Any) -> dict[str, Any]:
        if material is None:
            return {"name": "", "colour": [0.8, 0.8, 0.8, 1.0], "texture": -1, "alpha": "opaque"}
        said = next((m for m in self._document.get("materials", []) if m.get("name") == material.name), None)
        image, colour = _base_colour(material)
        if image is not None and image not in self._images:
            self._images.append(image)
        alpha = _alpha(material, said)
        return {
            "name": material.name,
            "colour": colour,
            "texture": -1 if image is None else self._images.index(image),
            "alpha": alpha,
            "cutoff": float((said or {}).get("alphaCutoff", 0.5)),
            "both_sides": not material.use_backface_culling,
            "edge": [0.0, 0.0, 0.0, 1.0] if alpha != "blend" else None,
        }

    def arrays(self, name: str) -> dict[str, Any]:
        """The figure file's content."""
        self._add_presets()
        parts = self._parts
        keys = ("positions", "normals", "uv", "triangles", "surface", "influences", "weights")
        found = {key: np.concatenate([part[key] for part in parts]) for key in keys}
        parents = [self._bone_index[bone.parent.name] if bone.parent else -1 for bone in self._bones]
        morphs = [(name, *map(np.concatenate, zip(*pieces))) for name, pieces in self._morphs.items()]
        vertices = [vertices for _, vertices, _ in morphs] or [np.zeros(0, np.int32)]
        offsets = [offsets for _, _, offsets in morphs] or [np.zeros((0, 3), np.float32)]
        textures = {f"texture_{i}": _pixels(image) for i, image in enumerate(self._images)}
        about = {
            "keywarp_figure": VERSION,
            "name": name,
            "materials": self._materials,
            "textures": len(self._images),
            "bones": [bone.name for bone in self._bones],
            "roles": self._roles(),
            "morphs": [[name, len(vertices)] for name, vertices, _ in morphs],
            **_rights(self._document),
        }
        return {
            **found,
            **{key: pixels for key, pixels in textures.items() if pixels is not None},
            "bone_parents": np.array(parents, np.int32),
            "bone_heads": self._heads,
            "morph_vertices": np.concatenate(vertices).astype(np.int32),
            "morph_offsets": np.concatenate(offsets).astype(np.float32),
            "about": np.frombuffer(json.dumps(about).encode(), np.uint8),
        }

    def _roles(self) -> dict[str, int]:
        """VRM's humanoid: its names in lower case to bones."""
        nodes = self._document.get("nodes", [])
        roles = {}
        for role, node in _humanoid(self._document):
            name = nodes[node].get("name") if 0 <= node < len(nodes) else None
            if name in self._bone_index:
                roles[role.lower()] = self._bone_index[name]
        return roles

    def _add_presets(self) -> None:
        """VRM's expressions as morphs of their own, where no morph has that name."""
        for name, binds in _expressions(self._document):
            pieces = [
                (vertices, offsets * np.float32(weight))
                for target, weight in binds
                for vertices, offsets in self._morphs.get(target, [])
            ]
            if name and name not in self._morphs and pieces:
                every = np.concatenate([vertices for vertices, _ in pieces])
                which, place = np.unique(every, return_inverse=True)
                total = np.zeros((len(which), 3), np.float32)
                np.add.at(total, place.reshape(-1), np.concatenate([offsets for _, offsets in pieces]))
                self._morphs[name] = [(which, total)]


def _faces_backwards(bones: list[tuple[str, float]]) -> bool:
    """Whether the character's left lies at -x, as with VRM 0.x, by what its bones are called."""
    left = [x for name, x in bones if _LEFT.search(name) and not _RIGHT.search(name)]
    right = [x for name, x in bones if _RIGHT.search(name) and not _LEFT.search(name)]
    return bool(left and right) and sum(left) / len(left) < sum(right) / len(right)


def _released(mesh: Any) -> list[Any]:
    """The shape keys but the first, free of drivers, all at 0."""
    keys = mesh.data.shape_keys
    if keys is None or not keys.use_relative:
        return []
    keys.animation_data_clear()
    mesh.show_only_shape_key = False
    blocks = list(keys.key_blocks)[1:]
    for block in blocks:
        block.value, block.mute = 0.0, False
        block.slider_max = max(block.slider_max, 1.0)
    return blocks


def _key_names(mesh: Any, document: dict[str, Any]) -> list[str]:
    """The shape keys' names; what the importer could not name may be named in the primitives' extras."""
    names = (
        [block.name for block in list(mesh.data.shape_keys.key_blocks)[1:]] if mesh.data.shape_keys else []
    )
    if not names or not all(re.fullmatch(r"target_\d+", name) for name in names):
        return names
    told = _target_names(document, mesh.data.name.rsplit(".", 1)[0]) or _target_names(
        document, mesh.data.name
    )
    return told if len(told) == len(names) else names


def _target_names(document: dict[str, Any], mesh: str) -> list[str]:
    for each in document.get("meshes", []):
        if each.get("name") == mesh:
            for holder in (each, *each.get("primitives", [])):
                names = (holder.get("extras") or {}).get("targetNames")
                if names:
                    return [str(name) for name in names]
    return []


def _humanoid(document: dict[str, Any]) -> Iterator[tuple[str, int]]:
    extensions = document.get("extensions", {})
    for bone in extensions.get("VRM", {}).get("humanoid", {}).get("humanBones", []):
        yield str(bone.get("bone")), int(bone.get("node", -1))
    for role, bone in extensions.get("VRMC_vrm", {}).get("humanoid", {}).get("humanBones", {}).items():
        yield role, int(bone.get("node", -1))


def _expressions(document: dict[str, Any]) -> Iterator[tuple[str, list[tuple[str, float]]]]:
    """VRM's preset expressions: name, and the morphs that they are made of with their weights."""
    extensions = document.get("extensions", {})
    meshes = [each.get("name", "") for each in document.get("meshes", [])]

    def target(mesh: int, index: int) -> str:
        names = _target_names(document, meshes[mesh]) if 0 <= mesh < len(meshes) else []
        return names[index] if 0 <= index < len(names) else ""

    for group in extensions.get("VRM", {}).get("blendShapeMaster", {}).get("blendShapeGroups", []):
        binds = group.get("binds", [])
        parts = [(target(b["mesh"], b["index"]), float(b.get("weight", 100)) / 100) for b in binds]
        yield str(group.get("presetName", "")), parts
    presets = extensions.get("VRMC_vrm", {}).get("expressions", {}).get("preset", {})
    nodes = document.get("nodes", [])
    for name, expression in presets.items():
        binds = expression.get("morphTargetBinds", [])
        yield (
            name,
            [(target(nodes[b["node"]].get("mesh", -1), b["index"]), float(b["weight"])) for b in binds],
        )


def _rights(document: dict[str, Any]) -> dict[str, str]:
    extensions = document.get("extensions", {})
    old, new = extensions.get("VRM", {}).get("meta", {}), extensions.get("VRMC_vrm", {}).get("meta", {})
    authors = new.get("authors") or [old.get("author", "")]
    return {
        "licence": str(old.get("licenseName") or new.get("licenseUrl") or ""),
        "credit": ", ".join(str(author) for author in authors if author),
    }


def _base_colour(material: Any) -> tuple[Optional[Any], list[float]]:
    """The image that colours a material, and the colour that multiplies it, encoded sRGB."""
    if material.node_tree is None:
        return None, _encoded(material.diffuse_color)
    outputs = [node for node in material.node_tree.nodes if node.type == "OUTPUT_MATERIAL"]
    queue, seen, plain = list(outputs), set(), None
    while queue:
        node = queue.pop(0)
        if node in seen:
            continue
        seen.add(node)
        if node.type == "TEX_IMAGE" and node.image is not None:
            return node.image, [1.0, 1.0, 1.0, 1.0]
        for socket in node.inputs:
            if socket.name in _NO_COLOUR:
                continue
            queue += [link.from_node for link in socket.links]
            colour = socket.type == "RGBA" and not socket.links
            if colour and plain is None and node.type in ("BSDF_PRINCIPLED", "EMISSION", "BSDF_DIFFUSE"):
                plain = socket.default_value
    return None, _encoded(material.diffuse_color if plain is None else plain)


def _encoded(linear: Any) -> list[float]:
    colour = np.clip(np.array(list(linear)[:3]), 0, 1)
    line, power = colour * 12.92, 1.055 * np.maximum(colour, 0.0031308) ** (1 / 2.4) - 0.055
    return [*(float(x) for x in np.where(colour <= 0.0031308, line, power)), 1.0]


def _alpha(material: Any, said: Optional[dict[str, Any]]) -> str:
    if said is not None:
        return {"BLEND": "blend", "MASK": "cut"}.get(said.get("alphaMode", "OPAQUE"), "opaque")
    if material.node_tree is not None:
        for node in material.node_tree.nodes:
            if node.type == "BSDF_PRINCIPLED" and node.inputs["Alpha"].links:
                return "blend" if material.surface_render_method == "BLENDED" else "cut"
    return "opaque"


def _pixels(image: Any) -> Optional[Any]:
    """(h, w, 4) uint8, the first row on top; nothing where the file is missing."""
    width, height = image.size
    if not width or not height or image.channels != 4:
        return None
    values = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(values)
    return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8).reshape(height, width, 4)[::-1]


if __name__ == "__main__":
    given = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:]
    sys.exit(main(given))
