# SPDX-License-Identifier: GPL-3.0-or-later
"""MikuMikuDance's older ``.pmd`` models: geometry, materials, bones, skin weights and morphs.

Facts: the format's description by the community; text is Shift JIS, indices have 16 bits, and a morph counts its
vertices through a base morph that lists those that any morph moves.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from keywarp.core.studio.binary import Cursor
from keywarp.core.studio.figure import INFLUENCES, Figure, Ints, Material, Morph, unit
from keywarp.core.studio.textures import texture_beside

MAGIC = b"Pmd"
_VERTEX = np.dtype(
    [
        ("position", "<f4", 3),
        ("normal", "<f4", 3),
        ("uv", "<f4", 2),
        ("bones", "<u2", 2),
        ("weight", "u1"),
        ("edge", "u1"),
    ]
)
_MATERIAL = np.dtype(
    [
        ("diffuse", "<f4", 4),
        ("shine", "<f4", 4),
        ("ambient", "<f4", 3),
        ("toon", "u1"),
        ("edge", "u1"),
        ("corners", "<u4"),
        ("texture", "S20"),
    ]
)
_BONE = np.dtype(
    [("name", "S20"), ("parent", "<u2"), ("tail", "<u2"), ("kind", "u1"), ("ik", "<u2"), ("head", "<f4", 3)]
)
_OFFSET = np.dtype([("vertex", "<u4"), ("offset", "<f4", 3)])
_GROUPS = {1: "Brows", 2: "Eyes", 3: "Mouth"}
_NONE = 0xFFFF


def read_pmd(path: Path, data: bytes) -> Figure:
    """The model in a file's bytes; its textures are read from beside it.

    Raises ``KeywarpError`` where the file is damaged, or no ``.pmd``.
    """
    cursor = Cursor(data, str(path))
    if cursor.take(3) != MAGIC:
        raise cursor.bad("this is no .pmd model")
    cursor.take(4)
    name = _text(cursor.take(20))
    cursor.take(256)
    vertices = cursor.records(_VERTEX, cursor.count("I", "vertices", _VERTEX.itemsize))
    corners = cursor.records(np.dtype("<u2"), cursor.count("I", "corners of triangles", 2))
    looks = cursor.records(_MATERIAL, cursor.count("I", "materials", _MATERIAL.itemsize))
    bones = cursor.records(_BONE, cursor.count("H", "bones", _BONE.itemsize))
    for _ in range(cursor.count("H", "chains of bones", 11)):
        _target, _effector, links, _turns, _limit = cursor.unpack("HHBHf")
        cursor.take(2 * links)
    triangles = corners[: len(corners) // 3 * 3].reshape(-1, 3).astype(np.int32)
    names = [_text(look["texture"]).split("*")[0] for look in looks]
    textures = sorted({each for each in names if each})
    found = [texture_beside(path, each) for each in textures]
    parents = bones["parent"].astype(np.int32)
    return Figure(
        name=name or path.stem,
        positions=vertices["position"].copy(),
        normals=unit(vertices["normal"]),
        uv=np.nan_to_num(vertices["uv"]),
        triangles=triangles,
        surface=_surface(cursor, looks, len(triangles)),
        materials=tuple(
            _material(i, look, textures.index(each) if each else -1)
            for i, (look, each) in enumerate(zip(looks, names, strict=True))
        ),
        textures=tuple(found),
        bone_names=tuple(_text(bone["name"]) for bone in bones),
        bone_parents=np.where((parents < len(bones)) & (parents != _NONE), parents, -1).astype(np.int32),
        bone_heads=bones["head"].copy(),
        morphs=_morphs(cursor),
        notes=tuple(
            f"the texture {each} is missing"
            for each, texture in zip(textures, found, strict=True)
            if texture is None
        ),
        **_skin(vertices, len(bones)),
    )


def _text(data: bytes) -> str:
    return bytes(data).split(b"\0")[0].decode("cp932", "replace")


def _surface(cursor: Cursor, looks: npt.NDArray[Any], triangles: int) -> Ints:
    surface = np.repeat(np.arange(len(looks), dtype=np.int32), np.minimum(looks["corners"] // 3, triangles))
    if len(surface) < triangles:
        raise cursor.bad(f"{triangles - len(surface)} of its triangles have no material")
    return surface[:triangles]


def _material(index: int, look: Any, texture: int) -> Material:
    r, g, b, a = (float(x) for x in np.clip(np.nan_to_num(look["diffuse"]), 0.0, 1.0))
    # The format has no names of materials; those that are translucent are seen from both sides in MMD.
    edge = (0.0, 0.0, 0.0, 1.0) if look["edge"] else None
    return Material(f"material {index}", (r, g, b, a), texture, both_sides=a < 1.0, edge=edge)


def _skin(vertices: npt.NDArray[Any], bones: int) -> dict[str, Any]:
    influences = np.zeros((len(vertices), INFLUENCES), np.int32)
    weights = np.zeros((len(vertices), INFLUENCES), np.float32)
    share = np.minimum(vertices["weight"], 100) / np.float32(100)
    for column, weight in enumerate((share, 1 - share)):
        there = vertices["bones"][:, column] < bones
        influences[:, column] = np.where(there, vertices["bones"][:, column], 0)
        weights[:, column] = np.where(there, weight, 0)
    weights /= np.maximum(weights.sum(1, keepdims=True), 1e-6)
    return {"influences": influences, "weights": weights}


def _morphs(cursor: Cursor) -> dict[str, Morph]:
    read = []
    base: Ints = np.zeros(0, np.int32)
    for _ in range(cursor.count("H", "morphs", 25)):
        name = _text(cursor.take(20))
        count = cursor.count("I", f"offsets of the morph {name}", _OFFSET.itemsize)
        kind = int(cursor.one("B"))
        offsets = cursor.records(_OFFSET, count)
        if kind == 0:
            base = offsets["vertex"].astype(np.int32)
        else:
            read.append((name, kind, offsets))
    found: dict[str, Morph] = {}
    for name, kind, offsets in read:
        there = offsets["vertex"] < len(base)
        vertices = base[offsets["vertex"][there].astype(np.int64)]
        group = _GROUPS.get(kind, "")
        found.setdefault(name, Morph(name, vertices, offsets["offset"][there].copy(), group))
    return found
