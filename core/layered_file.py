# SPDX-License-Identifier: GPL-3.0-or-later
"""``Layered`` as bytes, and back: an .npz file of few arrays, small because neighbours differ little."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from io import BytesIO

import numpy as np
import numpy.typing as npt

from keywarp.core.color import from_srgb8, to_srgb8
from keywarp.core.layered import (
    BONES,
    DEPTH,
    FIELDS,
    FIRST_SHAPE,
    Floats,
    Layer,
    Layered,
    box_of,
    own_places,
)
from keywarp.keyframes.errors import KeywarpError

VERSION = 1
MAX_SIDE = 1024
MAX_COLOUR_SIDE = 4096
"""Of the colours, which may be finer than what is known of motion."""
MAX_LAYERS = 13
_MAX_BYTES = MAX_LAYERS * (MAX_SIDE**2 * (2 * (FIELDS + 2) + 1) + 4 * MAX_COLOUR_SIDE**2)


def layered_bytes(layered: Layered) -> bytes:
    """Colours in 8 bits, sRGB, straight alpha; fields in half precision."""
    arrays: dict[str, npt.NDArray[np.generic]] = {
        "version": np.array(VERSION),
        "joints": layered.joints.astype(np.float32),
    }
    for number, layer in enumerate(layered.layers):
        arrays[f"colour{number}"] = to_srgb8(layer.colour)
        arrays[f"seen{number}"] = np.packbits(layer.seen, axis=1)
        fields = layer.fields * layer.seen[..., None]
        box = box_of(np.asarray(fields[..., FIRST_SHAPE:].any(-1)))
        arrays[f"box{number}"] = np.array([box[0].start, box[0].stop, box[1].start, box[1].stop])
        arrays[f"fields{number}"] = _differences(fields[..., :FIRST_SHAPE])
        arrays[f"shapes{number}"] = _differences(fields[box][..., FIRST_SHAPE:])
        if layer.places is not None:
            beside = layer.places - own_places(layer.fields[..., DEPTH])
            arrays[f"places{number}"] = _differences(beside * layer.seen[..., None])
    file = BytesIO()
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()


def read_layered(data: bytes, where: str) -> Layered:
    """``where`` names it in errors. Raises ``KeywarpError`` for what is none, is damaged, or implausibly large."""
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > _MAX_BYTES:
                raise ValueError("it is larger than any picture's layers")
        arrays = np.load(BytesIO(data), allow_pickle=False)
        if int(arrays["version"]) != VERSION:
            raise ValueError(f"it is of version {arrays['version']}, this keywarp reads {VERSION}")
        count = sum(name.startswith("fields") for name in arrays.files)
        if not 1 <= count <= MAX_LAYERS:
            raise ValueError(f"it has {count} layers")
        layers = tuple(
            _placed(
                _layer(*(arrays[f"{name}{i}"] for name in ("colour", "seen", "fields", "shapes", "box"))),
                arrays.get(f"places{i}"),
            )
            for i in range(count)
        )
        if len({len(layer.seen) for layer in layers}) > 1:
            raise ValueError("its layers are of several sizes")
        joints = arrays["joints"].astype(np.float32)
        if joints.shape != (len(BONES), 3) or not np.isfinite(joints).all():
            raise ValueError("its joints are not four finite points")
        return Layered(layers, joints)
    except Exception as error:  # readers of damaged archives end in errors of many kinds, some without a word
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise KeywarpError(f"{where} is no whole layered picture ({reason})") from None


def _layer(
    colour: npt.NDArray[np.uint8],
    seen: npt.NDArray[np.uint8],
    base: npt.NDArray[np.uint16],
    shapes: npt.NDArray[np.uint16],
    box: npt.NDArray[np.int64],
) -> Layer:
    n = base.shape[-1]
    top, bottom, left, right = (int(x) for x in box)
    if base.shape != (FIRST_SHAPE, n, n) or base.dtype != np.uint16 or not 1 <= n <= MAX_SIDE:
        raise ValueError(f"its fields have the shape {base.shape}")
    if not (0 <= top <= bottom <= n and 0 <= left <= right <= n) or shapes.dtype != np.uint16:
        raise ValueError("its face lies outside of it")
    if shapes.shape != (FIELDS - FIRST_SHAPE, bottom - top, right - left):
        raise ValueError(f"its shapes have the shape {shapes.shape}")
    if (
        colour.dtype != np.uint8
        or colour.ndim != 3
        or colour.shape[0] != colour.shape[1]
        or colour.shape[2] != 4
        or not 1 <= len(colour) <= MAX_COLOUR_SIDE
    ):
        raise ValueError(f"its colours have the shape {colour.shape}")
    mask = np.unpackbits(seen, axis=1, count=n).astype(bool)
    if mask.shape != (n, n):
        raise ValueError("its mask has another size than its fields")
    fields = np.zeros((n, n, FIELDS), np.float32)
    fields[..., :FIRST_SHAPE] = _summed(base)
    fields[top:bottom, left:right, FIRST_SHAPE:] = _summed(shapes)
    if not np.isfinite(fields).all():
        raise ValueError("a number in it is not finite")
    return Layer(from_srgb8(colour), mask, fields)


def _placed(layer: Layer, beside: npt.NDArray[np.uint16] | None) -> Layer:
    """The layer with the places of its pixels, (2, n, n), less those where they would be at rest."""
    if beside is None:
        return layer
    if beside.shape != (2, *layer.seen.shape) or beside.dtype != np.uint16:
        raise ValueError(f"its places have the shape {beside.shape}")
    places = _summed(beside) + own_places(layer.fields[..., DEPTH])
    if not np.isfinite(places).all():
        raise ValueError("a place in it is not finite")
    return replace(layer, places=places)


def _differences(fields: Floats) -> npt.NDArray[np.uint16]:
    """(F, h, w): each number's bits in half precision less those of its left neighbour."""
    bits = np.ascontiguousarray(fields.transpose(2, 0, 1).astype(np.float16)).view(np.uint16)
    return np.diff(bits, axis=2, prepend=np.uint16(0))


def _summed(differences: npt.NDArray[np.uint16]) -> Floats:
    bits = np.cumsum(differences, axis=2, dtype=np.uint16)
    return np.asarray(bits.view(np.float16).transpose(1, 2, 0), np.float32)
