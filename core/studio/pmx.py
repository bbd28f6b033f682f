# SPDX-License-Identifier: GPL-3.0-or-later
"""MikuMikuDance's ``.pmx`` models, versions 2.0 and 2.1.

Read are geometry, materials, textures' names, bones, skin weights, vertex morphs and groups of them; physics,
inverse kinematics, and morphs of bones, materials and texture coordinates are passed over. Facts: the format's
public description "PMX 2.0 / 2.1" by its author and the community.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from keywarp.core.studio.binary import Cursor
from keywarp.core.studio.figure import (
    INFLUENCES,
    MAX_TRIANGLES,
    MAX_VERTICES,
    Figure,
    Floats,
    Ints,
    Material,
    Morph,
    unit,
)
from keywarp.core.studio.textures import texture_beside

MAGIC = b"PMX "
_GROUPS = {1: "Brows", 2: "Eyes", 3: "Mouth"}
_NO_CULL, _EDGE = 0x01, 0x10
_TAIL_BONE, _IK, _GRANT, _FIXED, _LOCAL, _OUTSIDE = 0x0001, 0x0020, 0x0300, 0x0400, 0x0800, 0x2000
_BONE_WEIGHTS = {0: (1, 0, 0), 1: (2, 1, 0), 2: (4, 4, 0), 3: (2, 1, 36), 4: (4, 4, 0)}
"""By the kind of skinning: bones, weights, and bytes of spherical blending, which is read as linear."""
_OFFSET_TAILS = {2: 28, 3: 16, 4: 16, 5: 16, 6: 16, 7: 16, 8: 113, 10: 25}
"""Bytes behind the index in an offset of the morphs that are passed over."""
_DEEPEST = 8
"""Groups within groups of morphs."""


@dataclass(frozen=True)
class _Sizes:
    """How the file spells text and indices."""

    encoding: str
    more_uv: int
    vertex: int
    texture: int
    material: int
    bone: int
    morph: int
    body: int

    def letter(self, size: int) -> str:
        return {1: "b", 2: "h", 4: "i"}[size]

    def dtype(self, size: int, signed: bool = True) -> np.dtype[Any]:
        return np.dtype(f"<{'i' if signed or size == 4 else 'u'}{size}")


def read_pmx(path: Path, data: bytes) -> Figure:
    """The model in a file's bytes; its textures are read from beside it.

    Raises ``KeywarpError`` where the file is damaged, or no ``.pmx``.
    """
    cursor = Cursor(data, str(path))
    sizes = _header(cursor)
    name = _text(cursor, sizes)
    for _ in range(3):
        _text(cursor, sizes)
    vertices = _vertices(cursor, sizes)
    triangles = _triangles(cursor, sizes)
    names = [_text(cursor, sizes) for _ in range(cursor.count("i", "textures", 4))]
    materials, surface = _materials(cursor, sizes, len(triangles))
    bones, parents, heads = _bones(cursor, sizes)
    morphs = _morphs(cursor, sizes)
    textures = [texture_beside(path, each) for each in names]
    missing = [each for each, texture in zip(names, textures, strict=True) if texture is None]
    return Figure(
        name=name or path.stem,
        triangles=triangles,
        surface=surface,
        materials=tuple(materials),
        textures=tuple(textures),
        bone_names=tuple(bones),
        bone_parents=parents,
        bone_heads=heads,
        morphs=morphs,
        notes=tuple(f"the texture {each} is missing" for each in missing),
        **_skinned(vertices, len(bones)),
    )


def _header(cursor: Cursor) -> _Sizes:
    if cursor.take(4) != MAGIC:
        raise cursor.bad("this is no .pmx model")
    version, count = cursor.unpack("fB")
    if not 1.99 < version < 2.2 or count < 8:
        raise cursor.bad(f"it is .pmx of version {version:g}, where 2.0 and 2.1 are read")
    said = cursor.unpack(f"{count}B")
    if said[0] > 1 or said[1] > 4 or any(size not in (1, 2, 4) for size in said[2:8]):
        raise cursor.bad("its header is damaged")
    return _Sizes("utf-8" if said[0] else "utf-16-le", *said[1:8])


def _text(cursor: Cursor, sizes: _Sizes) -> str:
    return cursor.take(cursor.count("i", "bytes of text", 1)).decode(sizes.encoding, "replace")


@dataclass(frozen=True)
class _Vertices:
    positions: Floats
    normals: Floats
    uv: Floats
    influences: Ints
    weights: Floats


def _vertices(cursor: Cursor, sizes: _Sizes) -> _Vertices:
    count = cursor.count("i", "vertices", 38)
    if count > MAX_VERTICES:
        raise cursor.bad(f"it has {count} vertices, where {MAX_VERTICES} are the most that is read")
    letter = sizes.letter(sizes.bone)
    skins = {
        kind: (struct.Struct(f"<{bones}{letter}{weights}f{skipped}x4x"), bones)
        for kind, (bones, weights, skipped) in _BONE_WEIGHTS.items()
    }
    place = struct.Struct(f"<8f{16 * sizes.more_uv}xB")
    numbers = np.zeros((count, 8), np.float32)
    influences = np.zeros((count, INFLUENCES), np.int32)
    weights = np.zeros((count, INFLUENCES), np.float32)
    for i in range(count):
        *numbers[i], kind = place.unpack(cursor.take(place.size))
        if kind not in skins:
            raise cursor.bad(f"vertex {i} is skinned in an unknown way ({kind})")
        skin, bones = skins[kind]
        values = skin.unpack(cursor.take(skin.size))
        influences[i, :bones] = values[:bones]
        if bones == 1:
            weights[i, 0] = 1.0
        elif bones == 2:
            weights[i, :2] = values[2], 1.0 - values[2]
        else:
            weights[i] = values[4:]
    return _Vertices(numbers[:, :3], numbers[:, 3:6], numbers[:, 6:], influences, weights)


def _skinned(vertices: _Vertices, bones: int) -> dict[str, Any]:
    """The arrays of a figure; what is said about bones that do not exist moves nothing."""
    there = (vertices.influences >= 0) & (vertices.influences < bones)
    weights = np.where(there, np.nan_to_num(vertices.weights), 0.0).astype(np.float32)
    weights /= np.maximum(np.abs(weights.sum(1, keepdims=True)), 1e-6)
    return {
        "positions": vertices.positions,
        "normals": unit(vertices.normals),
        "uv": np.nan_to_num(vertices.uv),
        "influences": np.where(there, vertices.influences, 0).astype(np.int32),
        "weights": weights,
    }


def _triangles(cursor: Cursor, sizes: _Sizes) -> Ints:
    count = cursor.count("i", "corners of triangles", sizes.vertex)
    if count > 3 * MAX_TRIANGLES:
        raise cursor.bad(f"it has {count // 3} triangles, where {MAX_TRIANGLES} are the most that is read")
    corners = cursor.records(sizes.dtype(sizes.vertex, signed=False), count)
    return corners[: count // 3 * 3].reshape(-1, 3).astype(np.int32)


def _materials(cursor: Cursor, sizes: _Sizes, triangles: int) -> tuple[list[Material], Ints]:
    letter = sizes.letter(sizes.texture)
    found, surface = [], np.zeros(triangles, np.int32)
    drawn = 0
    for index in range(cursor.count("i", "materials", 70)):
        name = _text(cursor, sizes)
        _text(cursor, sizes)
        *diffuse, _r, _g, _b, _shine, _ar, _ag, _ab, flags = cursor.unpack("4f3ff3fB")
        *edge, size = cursor.unpack("4ff")
        texture, _sphere, _mode, toon_inside = cursor.unpack(f"{letter}{letter}BB")
        cursor.unpack("B" if toon_inside else letter)
        _text(cursor, sizes)
        last = drawn + max(int(cursor.one("i")), 0) // 3
        surface[drawn:last] = index
        drawn = last
        has_edge = bool(flags & _EDGE) and edge[3] > 0
        found.append(
            Material(
                name,
                _clamped(diffuse),
                int(texture),
                both_sides=bool(flags & _NO_CULL),
                edge=_clamped(edge) if has_edge else None,
                edge_size=float(np.clip(np.nan_to_num(size), 0.0, 2.0)),
            )
        )
    if drawn < triangles or not found:
        raise cursor.bad(f"{max(triangles - drawn, 0)} of its triangles have no material")
    return found, surface


def _clamped(colour: Sequence[float]) -> tuple[float, float, float, float]:
    r, g, b, a = (float(np.clip(np.nan_to_num(x), 0.0, 1.0)) for x in colour)
    return r, g, b, a


def _bones(cursor: Cursor, sizes: _Sizes) -> tuple[list[str], Ints, Floats]:
    letter = sizes.letter(sizes.bone)
    names, parents, heads = [], [], []
    for _ in range(cursor.count("i", "bones", 26)):
        names.append(_text(cursor, sizes))
        _text(cursor, sizes)
        x, y, z, parent, _layer, flags = cursor.unpack(f"3f{letter}iH")
        heads.append((x, y, z))
        parents.append(parent)
        cursor.unpack(letter if flags & _TAIL_BONE else "3f")
        if flags & _GRANT:
            cursor.unpack(f"{letter}f")
        if flags & _FIXED:
            cursor.unpack("3f")
        if flags & _LOCAL:
            cursor.unpack("6f")
        if flags & _OUTSIDE:
            cursor.unpack("i")
        if flags & _IK:
            cursor.unpack(f"{letter}if")
            for _ in range(cursor.count("i", "links of a bone", 2)):
                _, limited = cursor.unpack(f"{letter}B")
                if limited:
                    cursor.unpack("6f")
    above = np.array(parents, np.int32).reshape(-1)
    return names, np.where(above < len(names), above, -1), np.array(heads, np.float32).reshape(-1, 3)


@dataclass(frozen=True)
class _Read:
    """A morph as the file has it: its own vertices, or other morphs."""

    name: str
    group: str
    vertices: Ints
    offsets: Floats
    members: Sequence[tuple[int, float]] = ()


def _morphs(cursor: Cursor, sizes: _Sizes) -> dict[str, Morph]:
    read = [_morph(cursor, sizes) for _ in range(cursor.count("i", "morphs", 14))]
    found: dict[str, Morph] = {}
    for each in read:
        moved = _flattened(each, read, _DEEPEST)
        if len(moved[0]) and each.name not in found:
            found[each.name] = Morph(each.name, moved[0], moved[1], each.group)
    return found


def _morph(cursor: Cursor, sizes: _Sizes) -> _Read:
    name = _text(cursor, sizes)
    _text(cursor, sizes)
    panel, kind = cursor.unpack("BB")
    size = {0: sizes.morph, 2: sizes.bone, 8: sizes.material, 9: sizes.morph, 10: sizes.body}.get(
        kind, sizes.vertex
    )
    count = cursor.count("i", f"offsets of the morph {name}", size)
    vertices, offsets = np.zeros(0, np.int32), np.zeros((0, 3), np.float32)
    members: list[tuple[int, float]] = []
    if kind == 1:
        signed = size == 4
        record = np.dtype([("vertex", sizes.dtype(size, signed)), ("offset", "<f4", 3)])
        values = cursor.records(record, count)
        vertices, offsets = values["vertex"].astype(np.int32), values["offset"]
    elif kind in (0, 9):
        record = np.dtype([("morph", sizes.dtype(size)), ("weight", "<f4")])
        members = [(int(each["morph"]), float(each["weight"])) for each in cursor.records(record, count)]
    elif kind in _OFFSET_TAILS:
        cursor.take((size + _OFFSET_TAILS[kind]) * count)
    else:
        raise cursor.bad(f"the morph {name} is of an unknown kind ({kind})")
    return _Read(name, _GROUPS.get(panel, ""), vertices, offsets, members if kind == 0 else ())


def _flattened(morph: _Read, read: Sequence[_Read], deep: int) -> tuple[Ints, Floats]:
    """What a morph moves, itself or by its members, each vertex once."""
    if not morph.members or not deep:
        return morph.vertices, morph.offsets
    vertices, offsets = [morph.vertices], [morph.offsets]
    for index, weight in morph.members:
        if 0 <= index < len(read):
            inner = _flattened(read[index], read, deep - 1)
            vertices.append(inner[0])
            offsets.append(inner[1] * np.float32(weight))
    which, place = np.unique(np.concatenate(vertices), return_inverse=True)
    summed = np.zeros((len(which), 3), np.float32)
    np.add.at(summed, place.reshape(-1), np.concatenate(offsets))
    return which.astype(np.int32), summed
