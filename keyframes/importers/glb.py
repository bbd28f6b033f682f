# SPDX-License-Identifier: GPL-3.0-or-later
"""Binary glTF 2.0, as far as an animation needs it: nodes, and accessors of numbers.

Facts: Khronos Group, "glTF 2.0 Specification", sections 3.6 (accessors), 3.11 (animations), 4.4 (GLB). Every
index, offset and count is held against what is there before anything is read or allocated. Sparse accessors
and data outside the file are refused.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np

from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.importers.base import Array
from keywarp.keyframes.keys import shown

MAGIC = b"glTF"
_JSON, _BINARY = 0x4E4F534A, 0x004E4942
_MAX_JSON = 16 * 2**20
_MAX_NUMBERS = 8_000_000
_COMPONENTS: Mapping[int, tuple[np.dtype[Any], float]] = {
    5120: (np.dtype("i1"), 127.0),
    5121: (np.dtype("u1"), 255.0),
    5122: (np.dtype("<i2"), 32767.0),
    5123: (np.dtype("<u2"), 65535.0),
    5126: (np.dtype("<f4"), 1.0),
}
_WIDTHS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}


class Glb:
    """The JSON tree of a file, with checked ways into it."""

    def __init__(self, data: bytes) -> None:
        self.tree, self.binary = _chunks(data)

    def items(self, name: str) -> list[Any]:
        """The top-level list ``name``; empty where there is none."""
        value = self.tree.get(name, [])
        return value if isinstance(value, list) else _bad(f'"{name}" must be a list')

    def item(self, name: str, index: object) -> Mapping[str, Any]:
        """Element ``index`` of the top-level list ``name``, an object."""
        items = self.items(name)
        return mapping(items[whole(index, f"an index into {name}", len(items) - 1)], f"{name}[{index}]")

    def numbers(self, index: object) -> Array:
        """The accessor's elements as float64, (count, width); normalized integers within -1..1."""
        accessor = self.item("accessors", index)
        if "sparse" in accessor or "bufferView" not in accessor:
            _bad("sparse accessors are not read: export the animation without them")
        component, kind = accessor.get("componentType"), accessor.get("type")
        if not (isinstance(component, int) and component in _COMPONENTS and kind in list(_WIDTHS)):
            _bad(f"an accessor has the type {shown(kind)} of {shown(component)}, which no animation has")
        dtype, scale = _COMPONENTS[component]
        width = _WIDTHS[kind]
        view = self.item("bufferViews", accessor["bufferView"])
        self._check_buffer(view)
        size = len(self.binary)
        start = whole(view.get("byteOffset", 0), "a byteOffset", size)
        length = whole(view.get("byteLength"), "a byteLength", size - start)
        offset = whole(accessor.get("byteOffset", 0), "a byteOffset", length)
        count = whole(accessor.get("count"), "an accessor's count", _MAX_NUMBERS // width)
        stride = whole(view.get("byteStride", dtype.itemsize * width), "a byteStride", 252)
        if count and (
            stride < dtype.itemsize * width or offset + stride * (count - 1) + dtype.itemsize * width > length
        ):
            _bad(f"an accessor of {count} elements does not fit into its {length} bytes")
        if not count:
            return np.zeros((0, width))
        elements = np.ndarray(
            (count, width), dtype, self.binary, start + offset, (stride, dtype.itemsize)
        ).astype(np.float64)
        if not np.all(np.isfinite(elements)):
            _bad("an accessor holds a value that is no finite number")
        return elements if scale == 1.0 else np.maximum(elements / scale, -1.0)

    def _check_buffer(self, view: Mapping[str, Any]) -> None:
        if "uri" in self.item("buffers", view.get("buffer")) or view.get("buffer") != 0:
            _bad("its data lies in another file, where it should be in the file itself")


def _chunks(data: bytes) -> tuple[Mapping[str, Any], bytes]:
    if len(data) < 20 or data[:4] != MAGIC:
        _bad("it is cut short, or no binary glTF file")
    version, length = struct.unpack_from("<II", data, 4)
    if version != 2:
        _bad(f"it is binary glTF of version {version}, where 2 is read")
    if length > len(data):
        _bad(f"the file is cut short: it has {len(data)} of {length} bytes")
    found: dict[int, bytes] = {}
    at = 12
    while at + 8 <= length:
        size, kind = struct.unpack_from("<II", data, at)
        if size > length - at - 8:
            _bad(f"a chunk of {size} bytes does not fit into the file")
        if kind not in found and kind in (_JSON, _BINARY):
            found[kind] = data[at + 8 : at + 8 + size]
        at += 8 + size
    if _JSON not in found or len(found[_JSON]) > _MAX_JSON:
        _bad("its JSON chunk is missing or too large")
    try:
        tree = json.loads(found[_JSON].decode("utf-8"), parse_int=_integer)
    except (ValueError, RecursionError):
        _bad("its JSON chunk is damaged")
    return mapping(tree, "its JSON chunk"), found.get(_BINARY, b"")


def _integer(digits: str) -> float:
    return int(digits) if len(digits) <= 15 else float(digits)


def _bad(message: str) -> NoReturn:
    raise KeywarpError(message)


def mapping(value: object, what: str) -> Mapping[str, Any]:
    """``value`` itself; raises ``KeywarpError`` where it is no JSON object."""
    return value if isinstance(value, dict) else _bad(f"{what} must be a JSON object, not {shown(value)}")


def whole(value: object, what: str, limit: int) -> int:
    """``value`` itself; raises ``KeywarpError`` where it is no whole number from 0 to ``limit``."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= limit:
        _bad(f"{what} is {shown(value)}, where a whole number from 0 to {limit} belongs")
    return value


def vector(value: object, default: Array, what: str) -> Array:
    """A list of as many finite numbers as ``default`` has, which stands for a missing one."""
    if value is None:
        return default
    numbers = value if isinstance(value, list) else []
    good = len(numbers) == len(default) and all(
        isinstance(n, (int, float)) and not isinstance(n, bool) and abs(n) < 1e9 for n in numbers
    )
    return np.array(numbers, np.float64) if good else _bad(f"{what} must be {len(default)} finite numbers")
