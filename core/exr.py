# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading OpenEXR files: linear light, premultiplied alpha."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

import numpy as np
import numpy.typing as npt
import OpenEXR  # type: ignore[import-not-found]

from keywarp.core.picture import Picture, PictureFile, check_size
from keywarp.keyframes.errors import KeywarpError

_REC709 = np.array([[0.64, 0.33], [0.30, 0.60], [0.15, 0.06], [0.3127, 0.3290]])


def read_exr(path: Path) -> PictureFile:
    """Read the colour of an EXR file (half or float) as it stands: linear, premultiplied.

    Of several layers the unnamed one is taken, else Blender's ``Combined``, else the first that has
    R, G and B (or Y). The display window is the picture; what lies outside the data window is
    transparent. Primaries other than BT.709's are converted; values that are not numbers become 0.
    """
    try:
        header = OpenEXR.File(str(path), header_only=True).header()
        x0, y0, x1, y1 = _window(header, "displayWindow")
        check_size(path, x1 - x0 + 1, y1 - y0 + 1)
        left, top, right, bottom = _window(header, "dataWindow")
        check_size(path, right - left + 1, bottom - top + 1)
        channels = OpenEXR.File(str(path), separate_channels=True).channels()
        planes = {name: np.asarray(channel.pixels) for name, channel in channels.items()}
    except KeywarpError:
        raise
    except Exception as error:  # the library raises RuntimeError and others for damaged files
        first = (str(error).splitlines() or ["unreadable"])[0]
        raise KeywarpError(f"{path}: the EXR file is damaged or truncated ({first})") from error
    notes: list[str] = []
    data, has_alpha = _assemble(path, planes, (bottom - top + 1, right - left + 1), notes)
    bad = ~np.isfinite(data)
    if bad.any():
        notes.append(f"{path}: {int(bad.sum())} values are not finite numbers and were set to 0")
        data[bad] = 0.0
    data[..., 3] = np.clip(data[..., 3], 0.0, 1.0)
    matrix = _to_rec709(header.get("chromaticities"))
    if matrix is not None:
        data[..., :3] = data[..., :3] @ matrix.T.astype(np.float32)
    pixels = _place(data, (left - x0, top - y0), (y1 - y0 + 1, x1 - x0 + 1))
    bits = 8 * max(plane.dtype.itemsize for plane in planes.values())
    has_alpha = has_alpha or pixels is not data
    return PictureFile(path, pixels, "EXR", bits, has_alpha, "linear", tuple(notes))


def _window(header: dict[str, Any], name: str) -> tuple[int, int, int, int]:
    (x0, y0), (x1, y1) = header[name]
    return int(x0), int(y0), int(x1), int(y1)


def _assemble(
    path: Path, planes: dict[str, npt.NDArray[Any]], shape: tuple[int, int], notes: list[str]
) -> tuple[Picture, bool]:
    """(h, w, 4) float32 from the file's planes, and whether it has alpha."""
    layer = _layer(planes)
    if layer is None:
        raise KeywarpError(f"{path}: the EXR file has no colour; channels R, G and B, or Y, were expected")
    if layer:
        notes.append(f"{path}: of its layers, {layer.rstrip('.')} is used")
    names = ["R", "G", "B"] if layer + "R" in planes else ["Y", "Y", "Y"]
    data = np.ones((*shape, 4), np.float32)
    for i, name in enumerate(names):
        data[..., i] = _plane(path, planes, layer + name, shape)
    has_alpha = layer + "A" in planes
    if has_alpha:
        data[..., 3] = _plane(path, planes, layer + "A", shape)
    return data, has_alpha


def _plane(
    path: Path, planes: dict[str, npt.NDArray[Any]], name: str, shape: tuple[int, int]
) -> npt.NDArray[Any]:
    plane = planes[name]
    if plane.shape != shape or plane.dtype.kind != "f":
        raise KeywarpError(f"{path}: EXR channel {name} is not stored as floats at full resolution")
    return plane


def _layer(planes: dict[str, npt.NDArray[Any]]) -> Optional[str]:
    """The prefix of the channels to read."""

    def whole(prefix: str) -> bool:
        return all(prefix + c in planes for c in "RGB")

    prefixes = sorted({name.rpartition(".")[0] + "." if "." in name else "" for name in planes})
    coloured = [prefix for prefix in prefixes if whole(prefix)]
    combined = [prefix for prefix in coloured if prefix.endswith("Combined.")]
    if "" in coloured:
        return ""
    if combined or coloured:
        return (combined or coloured)[0]
    grey = [prefix for prefix in prefixes if prefix + "Y" in planes]
    return grey[0] if grey else None


def _to_rec709(chromaticities: Any) -> Optional[npt.NDArray[np.float64]]:
    """(3, 3) from the file's linear RGB to BT.709's; ``None`` where they are the same."""
    if chromaticities is None:
        return None
    values = np.asarray(chromaticities, np.float64).reshape(4, 2)
    if np.allclose(values, _REC709, atol=2e-3) or not np.all(values[:, 1] > 0):
        return None
    to_xyz = _adapt(values[3], _REC709[3]) @ _rgb_to_xyz(values)
    return np.asarray(np.linalg.solve(_rgb_to_xyz(_REC709), to_xyz))


def _rgb_to_xyz(chromaticities: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    xyz = np.array([[x / y, 1.0, (1 - x - y) / y] for x, y in chromaticities]).T
    return np.asarray(xyz[:, :3] * np.linalg.solve(xyz[:, :3], xyz[:, 3]))


def _adapt(source: npt.NDArray[np.float64], target: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Bradford's chromatic adaptation between two white points (ICC.1:2022, annex E)."""
    bradford = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    white = [bradford @ [x / y, 1.0, (1 - x - y) / y] for x, y in (source, target)]
    return np.asarray(np.linalg.inv(bradford) @ np.diag(white[1] / white[0]) @ bradford)


def _place(data: Picture, offset: tuple[int, int], shape: tuple[int, int]) -> Picture:
    """The data window's pixels on the display window."""
    left, top = offset
    if (left, top) == (0, 0) and data.shape[:2] == shape:
        return data
    out = np.zeros((*shape, 4), np.float32)
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + data.shape[1], shape[1]), min(top + data.shape[0], shape[0])
    if x1 > x0 and y1 > y0:
        out[y0:y1, x0:x1] = data[y0 - top : y1 - top, x0 - left : x1 - left]
    return out
