# SPDX-License-Identifier: GPL-3.0-or-later
"""A sample as the members of a tar shard, ``KEY.EXTENSION``, and back.

| extension | what |
|---|---|
| ``json`` | identity, poses by space, category, whatever else is known |
| ``posed.png``, ``rest.png`` | 8-bit RGBA, sRGB, straight alpha |
| ``bare.png``, ``brows.png``, ``browed.png``, ``morphed.png`` | the same: pictures between these two |
| ``flow.npy`` | (n, n, 2) float16 or float32 |
| ``layers.npz`` | the rest picture as a layered depth image, see ``core.layered_file`` |
| ``visible.png``, ``face.png``, ``eyes.png``, ``mouth.png`` | 8-bit grey |
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt

from keywarp.core.layered_file import layered_bytes, read_layered
from keywarp.core.motion import FloatImage
from keywarp.core.opencv import cv2
from keywarp.core.training.sample import MAX_SIDE, REGIONS, STAGES, Pixels, Sample
from keywarp.keyframes.errors import KeywarpError

VERSION = 1
MAX_MEMBER_BYTES = 8 * MAX_SIDE * MAX_SIDE + 4096
"""A flow field of the largest side in float32; nothing larger is read into memory."""
MAX_JSON_BYTES = 1 << 20
_PNG_LEVEL = 4
_OWN = ("keywarp", "identity", "poses", "category")
EXTENSIONS = (
    "json",
    "posed.png",
    "rest.png",
    "flow.npy",
    "layers.npz",
    "visible.png",
    *(f"{name}.png" for name in (*REGIONS, *STAGES)),
)


def encode(sample: Sample) -> dict[str, bytes]:
    """Extension to bytes."""
    facts: dict[str, Any] = {
        "keywarp": VERSION,
        "identity": sample.identity,
        "poses": {name: [round(float(x), 6) for x in pose] for name, pose in sample.poses.items()},
    }
    if sample.category is not None:
        facts["category"] = sample.category
    facts.update({key: value for key, value in sample.about.items() if key not in _OWN})
    members = {"json": json.dumps(facts, ensure_ascii=False).encode(), "posed.png": _png(sample.posed)}
    if sample.rest is not None:
        members["rest.png"] = _png(sample.rest)
    members |= {f"{name}.png": _png(picture) for name, picture in sample.stages.items()}
    if sample.flow is not None:
        members["flow.npy"] = _npy(sample.flow.astype(np.float16))
    if sample.layered is not None:
        members["layers.npz"] = layered_bytes(sample.layered)
    masks = {**sample.regions, **({} if sample.visible is None else {"visible": sample.visible})}
    for name, mask in masks.items():
        members[f"{name}.png"] = _png(np.rint(np.clip(mask, 0, 1) * 255).astype(np.uint8))
    return members


def decode(key: str, members: Mapping[str, bytes], where: str) -> Sample:
    """The sample that these members hold; members of other extensions are passed over.

    ``where`` names the shard in errors. Raises ``KeywarpError`` where something is missing or damaged.
    """
    try:
        facts = _facts(members["json"])
        masks = {name: _mask(members[f"{name}.png"]) for name in REGIONS if f"{name}.png" in members}
        return Sample(
            key=key,
            identity=str(facts["identity"]),
            posed=_rgba(members["posed.png"]),
            poses={str(name): np.array(pose, np.float64) for name, pose in facts.get("poses", {}).items()},
            rest=_rgba(members["rest.png"]) if "rest.png" in members else None,
            flow=_field(members["flow.npy"]) if "flow.npy" in members else None,
            visible=_mask(members["visible.png"]) if "visible.png" in members else None,
            regions=masks,
            layered=read_layered(members["layers.npz"], "layers.npz") if "layers.npz" in members else None,
            stages={name: _rgba(members[f"{name}.png"]) for name in STAGES if f"{name}.png" in members},
            category=None if facts.get("category") is None else str(facts["category"]),
            about={name: value for name, value in facts.items() if name not in _OWN},
        )
    except KeywarpError as error:
        raise KeywarpError(f"{where}: {error}") from None
    except KeyError as error:
        raise KeywarpError(f"{where}: the sample {key} has no {error.args[0]}") from None
    except (ValueError, TypeError, AttributeError, struct.error, EOFError) as error:
        raise KeywarpError(f"{where}: the sample {key} is damaged ({str(error).splitlines()[0]})") from None


def _facts(data: bytes) -> dict[str, Any]:
    if len(data) > MAX_JSON_BYTES:
        raise ValueError("its JSON is implausibly long")
    facts = json.loads(data)
    if not isinstance(facts, dict) or facts.get("keywarp") != VERSION:
        raise ValueError(f"its JSON does not say keywarp: {VERSION}")
    return facts


def _png(image: Pixels) -> bytes:
    pixels = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGBA2BGRA)
    done, data = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, _PNG_LEVEL])
    if not done:
        raise ValueError("a picture could not be written as PNG")
    return bytes(data.tobytes())


def _decoded(data: bytes) -> npt.NDArray[np.uint8]:
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        raise ValueError("a picture in it is no PNG")
    width, height = struct.unpack(">II", data[16:24])
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise ValueError(f"a picture in it has {width}x{height} pixels")
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint8:
        raise ValueError("a picture in it is no PNG of 8 bits")
    return np.asarray(pixels, np.uint8)


def _rgba(data: bytes) -> Pixels:
    pixels = _decoded(data)
    codes = {2: cv2.COLOR_GRAY2RGBA, 3: cv2.COLOR_BGR2RGBA, 4: cv2.COLOR_BGRA2RGBA}
    kind = 2 if pixels.ndim == 2 else pixels.shape[2]
    return np.asarray(cv2.cvtColor(pixels, codes[kind]), np.uint8)


def _mask(data: bytes) -> FloatImage:
    pixels = _decoded(data)
    plane = pixels if pixels.ndim == 2 else pixels[..., 0]
    unit: FloatImage = plane.astype(np.float32) / np.float32(255)
    return unit


def _npy(array: npt.NDArray[Any]) -> bytes:
    file = BytesIO()
    np.save(file, np.ascontiguousarray(array), allow_pickle=False)
    return file.getvalue()


def _field(data: bytes) -> FloatImage:
    array = np.load(BytesIO(data), allow_pickle=False)
    if array.dtype not in (np.float16, np.float32) or not np.isfinite(array).all():
        raise ValueError("its flow is not made of finite float16 or float32 numbers")
    flow: FloatImage = array.astype(np.float32)
    return flow
