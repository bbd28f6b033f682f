# SPDX-License-Identifier: GPL-3.0-or-later
"""A small character of our own, and a writer of ``.pmx`` and ``.pmd`` files that shares nothing with the readers."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from io import BytesIO

import numpy as np
from PIL import Image

#: Morph name to (panel, {vertex: offset}).
Morphs = dict[str, tuple[int, dict[int, tuple[float, float, float]]]]


@dataclass
class Model:
    """Geometry in MikuMikuDance's axes; every vertex hangs on one bone."""

    vertices: list[tuple[tuple[float, float, float], tuple[float, float], int]] = field(default_factory=list)
    """Position, texture coordinates, bone."""
    materials: list[tuple[str, int, list[tuple[int, int, int]]]] = field(default_factory=list)
    """Name, texture, triangles."""
    bones: list[tuple[str, int, tuple[float, float, float]]] = field(default_factory=list)
    morphs: Morphs = field(default_factory=dict)
    groups: dict[str, list[tuple[str, float]]] = field(default_factory=dict)
    textures: list[str] = field(default_factory=list)


def _grid(
    model: Model,
    bone: int,
    centre: tuple[float, float, float],
    size: tuple[float, float],
    bulge: float,
    steps: int,
) -> tuple[list[int], list[tuple[int, int, int]]]:
    """A bulging patch that faces the camera (-z), clockwise as seen from there; its vertices and triangles."""
    first = len(model.vertices)
    for j in range(steps + 1):
        for i in range(steps + 1):
            u, v = i / steps, j / steps
            x, y = (u - 0.5) * size[0], (0.5 - v) * size[1]
            depth = -bulge * (1 - (2 * u - 1) ** 2) * (1 - (2 * v - 1) ** 2)
            model.vertices.append(((centre[0] + x, centre[1] + y, centre[2] + depth), (u, v), bone))
    triangles = []
    for j in range(steps):
        for i in range(steps):
            a = first + j * (steps + 1) + i
            b, c, d = a + 1, a + steps + 1, a + steps + 2
            triangles += [(a, b, c), (b, d, c)]
    return list(range(first, len(model.vertices))), triangles


def bust() -> Model:
    """A head with two eyes and a mouth on a chest, with morphs for both sides together."""
    model = Model(textures=["skin.png", "lost.png"])
    model.bones = [
        ("センター", -1, (0, 8, 0)),
        ("上半身", 0, (0, 12, 0)),
        ("首", 1, (0, 16, 0.2)),
        ("頭", 2, (0, 16.5, 0.2)),
    ]
    body, chest = _grid(model, 1, (0, 14, 0.3), (6, 4), 0.5, 6)
    face, skin = _grid(model, 3, (0, 18, 0), (3, 4), 1.2, 12)
    left, left_eye = _grid(model, 3, (0.6, 18.2, -1.25), (0.6, 0.5), 0.05, 4)
    right, right_eye = _grid(model, 3, (-0.6, 18.2, -1.25), (0.6, 0.5), 0.05, 4)
    mouth, lips = _grid(model, 3, (0, 17, -1.1), (0.8, 0.2), 0.05, 4)
    model.materials = [
        ("服", 1, chest),
        ("顔", 0, skin),
        ("目", 0, left_eye + right_eye),
        ("口", 0, lips),
    ]
    place = [np.array(vertex[0]) for vertex in model.vertices]
    shut = {i: (0.0, float(18.2 - place[i][1]) * 0.8, 0.0) for i in (*left, *right)}
    wide = {i: (0.0, float(place[i][1] - 18.2) * 0.3, 0.0) for i in (*left, *right)}
    opened = {i: (0.0, float(place[i][1] - 17) * 3.0, 0.0) for i in mouth}
    model.morphs = {"まばたき": (2, shut), "びっくり": (2, wide), "あ": (3, opened)}
    model.groups = {"驚き総": [("びっくり", 1.0), ("あ", 0.5)]}
    assert body
    assert face
    return model


def texture_png() -> bytes:
    """A chequered texture with a gradient."""
    y, x = np.mgrid[:128, :128]
    pixels = np.full((128, 128, 4), 255, np.uint8)
    pixels[..., 0] = 150 + x // 2
    pixels[..., 1] = np.where((x // 8 + y // 8) % 2, 210, 120)
    pixels[..., 2] = 80 + y
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def _text(text: str, encoding: str) -> bytes:
    data = text.encode(encoding)
    return struct.pack("<i", len(data)) + data


def pmx_bytes(model: Model, utf8: bool = False, index_bytes: int = 2) -> bytes:
    """The model as ``.pmx`` 2.0."""
    encoding = "utf-8" if utf8 else "utf-16-le"
    vertex = {1: "B", 2: "H", 4: "i"}[index_bytes]
    other = {1: "b", 2: "h", 4: "i"}[index_bytes]
    out = bytearray(b"PMX " + struct.pack("<fB8B", 2.0, 8, int(utf8), 0, *[index_bytes] * 6))
    for text in ("胸像", "Bust", "", ""):
        out += _text(text, encoding)
    out += struct.pack("<i", len(model.vertices))
    for i, (position, uv, bone) in enumerate(model.vertices):
        out += struct.pack("<8f", *position, 0, 0, -1, *uv)
        if i % 2:
            out += struct.pack(f"<B{other}", 0, bone)
        else:  # the same by two bones, of which the second takes nothing
            out += struct.pack(f"<B{other}{other}f", 1, bone, 0, 1.0)
        out += struct.pack("<f", 1.0)
    corners = [corner for _, _, triangles in model.materials for each in triangles for corner in each]
    out += struct.pack(f"<i{len(corners)}{vertex}", len(corners), *corners)
    out += struct.pack("<i", len(model.textures))
    for name in model.textures:
        out += _text(name, encoding)
    out += struct.pack("<i", len(model.materials))
    for name, texture, triangles in model.materials:
        out += _text(name, encoding) + _text("", encoding)
        out += struct.pack("<4f3ff3fB", 1, 1, 1, 1, 0, 0, 0, 5, 0.5, 0.5, 0.5, 0x10)
        out += struct.pack(f"<4ff{other}{other}BBB", 0, 0, 0, 1, 1, texture, -1, 0, 1, 0)
        out += _text("", encoding) + struct.pack("<i", 3 * len(triangles))
    out += struct.pack("<i", len(model.bones))
    for name, parent, head in model.bones:
        out += _text(name, encoding) + _text("", encoding)
        out += struct.pack(f"<3f{other}iH3f", *head, parent, 0, 0x001E & ~0x0001, 0, 1, 0)
    names = [*model.morphs, *model.groups]
    out += struct.pack("<i", len(names))
    for name, (panel, offsets) in model.morphs.items():
        out += _text(name, encoding) + _text("", encoding) + struct.pack("<BBi", panel, 1, len(offsets))
        for index, offset in offsets.items():
            out += struct.pack(f"<{vertex}3f", index, *offset)
    for name, members in model.groups.items():
        out += _text(name, encoding) + _text("", encoding) + struct.pack("<BBi", 4, 0, len(members))
        for member, weight in members:
            out += struct.pack(f"<{other}f", names.index(member), weight)
    return bytes(out + struct.pack("<i", 0))


def pmd_bytes(model: Model) -> bytes:
    """The model as ``.pmd``, which has no groups."""
    out = bytearray(b"Pmd" + struct.pack("<f20s256s", 1.0, "胸像".encode("cp932"), b""))
    out += struct.pack("<I", len(model.vertices))
    for position, uv, bone in model.vertices:
        out += struct.pack("<8f2HBB", *position, 0, 0, -1, *uv, bone, 0, 100, 0)
    corners = [corner for _, _, triangles in model.materials for each in triangles for corner in each]
    out += struct.pack(f"<I{len(corners)}H", len(corners), *corners)
    out += struct.pack("<I", len(model.materials))
    for _, texture, triangles in model.materials:
        name = model.textures[texture].encode() + b"*shine.spa"
        out += struct.pack("<11fBBI20s", 1, 1, 1, 1, 5, 0, 0, 0, 0, 0, 0, 0, 1, 3 * len(triangles), name)
    out += struct.pack("<H", len(model.bones))
    for name, parent, head in model.bones:
        out += struct.pack("<20sHHBH3f", name.encode("cp932"), parent & 0xFFFF, 0, 0, 0, *head)
    out += struct.pack("<H", 0)
    base = sorted({index for _, offsets in model.morphs.values() for index in offsets})
    out += struct.pack("<H20sIB", len(model.morphs) + 1, b"base", len(base), 0)
    for index in base:
        out += struct.pack("<I3f", index, *model.vertices[index][0])
    for name, (panel, offsets) in model.morphs.items():
        out += struct.pack("<20sIB", name.encode("cp932"), len(offsets), panel)
        for index, offset in offsets.items():
            out += struct.pack("<I3f", base.index(index), *offset)
    return bytes(out)
