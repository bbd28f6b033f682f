# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures as files: what Blender writes of the characters that it opens (``plugin/blender/studio/export.py``), and
generated characters on their way into Blender (``plugin/blender/studio/build.py``)."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keywarp.core.layered import FIELD_DEGREES
from keywarp.core.studio.figure import Figure, Material, Morph
from keywarp.keyframes.errors import KeywarpError

_ARRAYS: Mapping[type, tuple[str, ...]] = {
    np.float32: ("positions", "normals", "uv", "bone_heads", "weights"),
    np.int32: ("triangles", "surface", "bone_parents", "influences"),
}
VERSION = 1
MAX_BYTES = 4 << 30


def read_figure(path: Path) -> Figure:
    """Read a ``.npz`` figure; nothing in it is executed.

    Raises ``KeywarpError`` where it is no figure, or its parts do not fit together.
    """
    if path.stat().st_size > MAX_BYTES:
        raise KeywarpError(f"{path}: the figure is larger than {MAX_BYTES >> 30} GiB")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        about = json.loads(arrays["about"].tobytes())
        if about.get("keywarp_figure") != VERSION:
            raise KeywarpError(f"{path} was written by another version of keywarp")
        return _figure(arrays, about)
    except (KeyError, ValueError, TypeError, OSError, zipfile.BadZipFile) as error:
        raise KeywarpError(f"{path} is no figure of a 3D character ({error})") from None


def _figure(arrays: dict[str, Any], about: dict[str, Any]) -> Figure:
    textures = (arrays.get(f"texture_{i}") for i in range(int(about["textures"])))
    return Figure(
        name=str(about["name"]),
        materials=tuple(_material(said) for said in about["materials"]),
        textures=tuple(None if pixels is None else pixels.astype(np.uint8) for pixels in textures),
        bone_names=tuple(map(str, about["bones"])),
        bone_roles={str(role): int(bone) for role, bone in about["roles"].items()},
        morphs=_morphs(arrays, about),
        licence=str(about.get("licence", "")),
        credit=str(about.get("credit", "")),
        **{name: arrays[name].astype(kind) for kind, names in _ARRAYS.items() for name in names},
    )


def _material(said: dict[str, Any]) -> Material:
    r, g, b, a = map(float, said["colour"])
    edge = said.get("edge")
    return Material(
        str(said["name"]),
        (r, g, b, a),
        int(said["texture"]),
        alpha=said["alpha"] if said["alpha"] in ("cut", "opaque") else "blend",
        cutoff=float(said.get("cutoff", 0.5)),
        both_sides=bool(said.get("both_sides", False)),
        edge=None if edge is None else (float(edge[0]), float(edge[1]), float(edge[2]), float(edge[3])),
        edge_size=float(said.get("edge_size", 1.0)),
    )


def _morphs(arrays: dict[str, Any], about: dict[str, Any]) -> dict[str, Morph]:
    vertices = arrays["morph_vertices"].astype(np.int32)
    offsets = arrays["morph_offsets"].astype(np.float32)
    counts = [int(count) for _, count in about["morphs"]]
    if sum(counts) != len(vertices) or len(vertices) != len(offsets):
        raise ValueError("its morphs are cut short")
    ends = np.cumsum([0, *counts])
    names = [str(name) for name, _ in about["morphs"]]
    return {
        name: Morph(name, vertices[first:end], offsets[first:end])
        for name, first, end in zip(names, ends[:-1], ends[1:], strict=True)
    }


def write_figure(path: Path, figure: Figure) -> None:
    """Write a figure as ``.npz``, at once or not at all."""
    about = {
        "keywarp_figure": VERSION,
        "name": figure.name,
        "materials": [
            {
                "name": material.name,
                "colour": material.colour,
                "texture": material.texture,
                "alpha": material.alpha,
                "cutoff": material.cutoff,
                "both_sides": material.both_sides,
                "edge": material.edge,
                "edge_size": material.edge_size,
            }
            for material in figure.materials
        ],
        "textures": len(figure.textures),
        "bones": figure.bone_names,
        "roles": dict(figure.bone_roles),
        "morphs": [[name, len(morph.vertices)] for name, morph in figure.morphs.items()],
        "licence": figure.licence,
        "credit": figure.credit,
        "field_degrees": FIELD_DEGREES,  # of the camera that Blender is to place before it
    }
    arrays: dict[str, Any] = {name: getattr(figure, name) for names in _ARRAYS.values() for name in names}
    arrays |= {f"texture_{i}": pixels for i, pixels in enumerate(figure.textures) if pixels is not None}
    moved = figure.morphs.values()
    arrays["morph_vertices"] = np.concatenate([np.zeros(0, np.int32), *(morph.vertices for morph in moved)])
    arrays["morph_offsets"] = np.concatenate(
        [np.zeros((0, 3), np.float32), *(morph.offsets for morph in moved)]
    )
    arrays["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
    unfinished = path.with_name(f"{path.name}.unfinished")
    with unfinished.open("wb") as file:
        np.savez_compressed(file, **arrays)
    unfinished.replace(path)
