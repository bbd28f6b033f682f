# SPDX-License-Identifier: GPL-3.0-or-later
"""Writers of the formats that are imported, made from their published layouts, not from the importers."""

from __future__ import annotations

import json
import math
import re
import struct
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

ARKIT = re.findall(
    r"\w+",
    """
    EyeBlinkLeft EyeLookDownLeft EyeLookInLeft EyeLookOutLeft EyeLookUpLeft EyeSquintLeft EyeWideLeft
    EyeBlinkRight EyeLookDownRight EyeLookInRight EyeLookOutRight EyeLookUpRight EyeSquintRight EyeWideRight
    JawForward JawRight JawLeft JawOpen MouthClose MouthFunnel MouthPucker MouthRight MouthLeft MouthSmileLeft
    MouthSmileRight MouthFrownLeft MouthFrownRight MouthDimpleLeft MouthDimpleRight MouthStretchLeft
    MouthStretchRight MouthRollLower MouthRollUpper MouthShrugLower MouthShrugUpper MouthPressLeft
    MouthPressRight MouthLowerDownLeft MouthLowerDownRight MouthUpperUpLeft MouthUpperUpRight BrowDownLeft
    BrowDownRight BrowInnerUp BrowOuterUpLeft BrowOuterUpRight CheekPuff CheekSquintLeft CheekSquintRight
    NoseSneerLeft NoseSneerRight TongueOut
    """,
)
LIVE_LINK = [
    *ARKIT,
    *("HeadYaw", "HeadPitch", "HeadRoll", "LeftEyeYaw", "LeftEyePitch", "LeftEyeRoll"),
    *("RightEyeYaw", "RightEyePitch", "RightEyeRoll"),
]

STRAIGHT = (20, 20, 107, 107)
BoneKey = tuple[str, int, tuple[float, float, float, float], tuple[int, int, int, int]]
MorphKey = tuple[str, int, float]


def _cut(name: str, size: int) -> bytes:
    return name.encode("cp932")[:size].ljust(size, b"\0")


def interpolation(rotation: tuple[int, int, int, int]) -> bytes:
    """The 64 bytes as MMD writes them: four rows, each the first moved on by one byte; x, y and z straight."""
    row = bytes(value for i in range(4) for value in (*[STRAIGHT[i]] * 3, rotation[i]))
    rows = [row[i:] + b"\x01" + b"\0" * (i - 1) if i else row for i in range(4)]
    # MMD writes its physics switch over two bytes of the first row.
    return rows[0][:2] + b"\0\0" + rows[0][4:] + b"".join(rows[1:])


def vmd(
    bones: Optional[list[BoneKey]] = None,
    morphs: Optional[list[MorphKey]] = None,
    cameras: int = 0,
    model: str = "モデル",
    sections: int = 4,
) -> bytes:
    data = b"Vocaloid Motion Data 0002".ljust(30, b"\0") + _cut(model, 20)
    data += struct.pack("<I", len(bones or []))
    for name, frame, quaternion, pace in bones or []:
        data += _cut(name, 15) + struct.pack("<I3f4f", frame, 0, 0, 0, *quaternion) + interpolation(pace)
    data += struct.pack("<I", len(morphs or []))
    for name, frame, weight in morphs or []:
        data += _cut(name, 15) + struct.pack("<If", frame, weight)
    rest = [struct.pack("<I", cameras) + bytes(61 * cameras), bytes(4), bytes(4)]
    switches = struct.pack("<IIBI", 1, 0, 1, 1) + _cut("左足IK", 20) + b"\1"
    return data + b"".join([*rest, switches][:sections])


def live_link(rows: list[dict[str, float]], codes: list[str]) -> bytes:
    lines = ["Timecode,BlendShapeCount," + ",".join(LIVE_LINK)]
    for code, row in zip(codes, rows):
        lines.append(f"{code},61," + ",".join(f"{row.get(name, 0.0):.10f}" for name in LIVE_LINK))
    return "\r\n".join([*lines, ""]).encode()


OPENFACE = [
    *("frame", "face_id", "timestamp", "confidence", "success", "gaze_0_x", "gaze_angle_x", "gaze_angle_y"),
    *("pose_Tx", "pose_Rx", "pose_Ry", "pose_Rz", "AU01_r", "AU12_r", "AU45_r", "AU45_c"),
]


def openface(rows: list[dict[str, float]]) -> bytes:
    lines = [", ".join(OPENFACE)]
    for i, row in enumerate(rows):
        whole = {"frame": i + 1, "timestamp": i / 25, "confidence": 0.98, "success": 1, **row}
        lines.append(", ".join(f"{whole.get(name, 0.0):.6f}" for name in OPENFACE))
    return "\n".join([*lines, ""]).encode()


def glb(tree: dict[str, Any], binary: bytes) -> bytes:
    text = json.dumps(tree).encode()
    text += b" " * (-len(text) % 4)
    binary += bytes(-len(binary) % 4)
    chunks = struct.pack("<II", len(text), 0x4E4F534A) + text
    chunks += struct.pack("<II", len(binary), 0x004E4942) + binary
    return b"glTF" + struct.pack("<II", 2, 12 + len(chunks)) + chunks


Sampler = tuple[int, str, str, list[float], list[list[float]]]
"""Node, path, interpolation, times, values."""


def vrma(nodes: list[dict[str, Any]], extension: dict[str, Any], samplers: list[Sampler]) -> bytes:
    binary, views, accessors, channels, entries = b"", [], [], [], []
    for node, path, kind, times, values in samplers:
        for rows, shape in (([[t] for t in times], "SCALAR"), (values, f"VEC{len(values[0])}")):
            data = b"".join(struct.pack(f"<{len(row)}f", *row) for row in rows)
            views.append({"buffer": 0, "byteOffset": len(binary), "byteLength": len(data)})
            accessors.append(
                {"bufferView": len(views) - 1, "componentType": 5126, "count": len(rows), "type": shape}
            )
            binary += data
        entries.append({"input": len(accessors) - 2, "output": len(accessors) - 1, "interpolation": kind})
        channels.append({"sampler": len(entries) - 1, "target": {"node": node, "path": path}})
    tree = {
        "asset": {"version": "2.0"},
        "nodes": nodes,
        "buffers": [{"byteLength": len(binary)}],
        "bufferViews": views,
        "accessors": accessors,
        "animations": [{"channels": channels, "samplers": entries}],
        "extensionsUsed": ["VRMC_vrm_animation"],
        "extensions": {"VRMC_vrm_animation": extension},
    }
    return glb(tree, binary)


RHUBARB_TSV = b"0.00\tX\n0.50\tD\n1.00\tB\n1.50\tX\n"
RHUBARB_XML = (
    b'<?xml version="1.0" encoding="utf-8"?>\n<rhubarbResult><metadata><soundFile>hi.wav</soundFile>'
    b"<duration>2.0</duration></metadata><mouthCues>"
    b'<mouthCue start="0.00" end="0.50">X</mouthCue><mouthCue start="0.50" end="1.00">D</mouthCue>'
    b'<mouthCue start="1.00" end="1.50">B</mouthCue><mouthCue start="1.50" end="2.00">X</mouthCue>'
    b"</mouthCues></rhubarbResult>"
)
RHUBARB_JSON = json.dumps(
    {
        "metadata": {"soundFile": "hi.wav", "duration": 2.0},
        "mouthCues": [
            {"start": 0.0, "end": 0.5, "value": "X"},
            {"start": 0.5, "end": 1.0, "value": "D"},
            {"start": 1.0, "end": 1.5, "value": "B"},
            {"start": 1.5, "end": 2.0, "value": "X"},
        ],
    }
).encode()
MOHO = b"MohoSwitch1\n1 rest\n13 AI\n25 etc\n37 rest\n"
PAPAGAYO = (
    b"lipsync version 1\nhi.wav\n24\n60\n1\n\tVoice 1\n\thi you\n\t1\n\t\thi you\n\t\t12\n\t\t40\n\t\t2\n"
    b"\t\t\thi 12 23 2\n\t\t\t\t12 etc\n\t\t\t\t16 AI\n\t\t\tyou 30 40 1\n\t\t\t\t30 U\n"
)
CLIP = (
    b'{"keywarp_clip": 1, "space": "tha45", "fps": 24, "start": 0, "end": 10, "curves": '
    b'{"head_y": {"keys": [{"frame": 0, "value": 0}, {"frame": 10, "value": 0.5}]}}}'
)


def _sample_vmd() -> bytes:
    half = math.radians(20) / 2
    turned = (0.0, math.sin(half), 0.0, math.cos(half))
    bones: list[BoneKey] = [("頭", 0, (0, 0, 0, 1), STRAIGHT), ("頭", 30, turned, (70, 0, 40, 127))]
    return vmd(bones, [("あ", 0, 0.0), ("あ", 10, 1.0), ("まばたき", 5, 1.0)])


def _sample_vrma() -> bytes:
    half = math.radians(20) / 2
    return vrma(
        [{"name": "head"}, {"name": "aa"}],
        {"humanoid": {"humanBones": {"head": {"node": 0}}}, "expressions": {"preset": {"aa": {"node": 1}}}},
        [
            (0, "rotation", "LINEAR", [0.0, 1.0], [[0, 0, 0, 1], [0, math.sin(half), 0, math.cos(half)]]),
            (1, "translation", "LINEAR", [0.0, 0.5, 1.0], [[0, 0, 0], [1, 0, 0], [0, 0, 0]]),
        ],
    )


def valid() -> dict[str, bytes]:
    """A good file of each format, by the format's name."""
    rows = [{"JawOpen": i / 100, "HeadYaw": 0.01 * i} for i in range(70)]
    codes = [f"10:00:{i // 60:02d}:{i % 60:02d}.125" for i in range(70)]
    faces = [{"AU12_r": i / 10, "pose_Ry": 0.01 * i} for i in range(30)]
    return {
        "vmd": _sample_vmd(),
        "vrma": _sample_vrma(),
        "arkit-csv": live_link(rows, codes),
        "openface": openface(faces),
        "rhubarb-tsv": RHUBARB_TSV,
        "rhubarb-xml": RHUBARB_XML,
        "rhubarb-json": RHUBARB_JSON,
        "moho": MOHO,
        "papagayo": PAPAGAYO,
        "keywarp": CLIP,
        "wav": wav(),
    }


def wav() -> bytes:
    """A twentieth of a second of a voice, 16 bit."""
    at = range(800)
    raw = b"".join(struct.pack("<h", 20000 if i % 100 < 50 else -20000) for i in at)
    form = struct.pack("<HHIIHH", 1, 1, 16_000, 32_000, 2, 16)
    chunks = b"fmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(raw)) + raw
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


class Writers:
    """The writers, for tests."""

    straight = STRAIGHT
    arkit = tuple(ARKIT)
    vmd = staticmethod(vmd)
    vrma = staticmethod(vrma)
    glb = staticmethod(glb)
    live_link = staticmethod(live_link)
    openface = staticmethod(openface)
    valid = staticmethod(valid)


@pytest.fixture(scope="session")
def writers() -> Writers:
    return Writers()


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """Writes bytes to a file whose name says nothing."""

    def write(data: bytes, name: str = "some.file") -> Path:
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write
