# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets as the trackers send them, built from their published layouts, not with our decoders."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import pytest

from keywarp.keyframes.live import tracker

#: ARKit's 52 coefficients, typed from Apple's list (ARFaceAnchor.BlendShapeLocation).
_PAIRS = (
    *("browDown", "browOuterUp", "cheekSquint", "eyeBlink", "eyeLookDown"),
    *("eyeLookIn", "eyeLookOut", "eyeLookUp", "eyeSquint", "eyeWide"),
    *("jaw", "mouthDimple", "mouthFrown", "mouth", "mouthLowerDown"),
    *("mouthPress", "mouthSmile", "mouthStretch", "mouthUpperUp", "noseSneer"),
)
_SINGLE = (
    *("browInnerUp", "cheekPuff", "jawForward", "jawOpen", "mouthClose"),
    *("mouthFunnel", "mouthPucker", "mouthRollLower", "mouthRollUpper", "mouthShrugLower"),
    *("mouthShrugUpper", "tongueOut"),
)
ARKIT = (*_SINGLE, *(f"{stem}{side}" for stem in _PAIRS for side in ("Left", "Right")))
Face = Mapping[str, float]


class Packets:
    """One function a protocol. Heads are (rx, ry, rz) of ARKit in degrees."""

    names = ARKIT

    def face(self, given: Face) -> dict[str, float]:
        return {name: given.get(name, 0.0) for name in ARKIT}

    # --- OSC 1.0 -------------------------------------------------------------------------------------

    def text(self, text: str) -> bytes:
        data = text.encode() + b"\0"
        return data + bytes(-len(data) % 4)

    def message(self, address: str, *arguments: str | float) -> bytes:
        tags, data = ",", b""
        for argument in arguments:
            if isinstance(argument, str):
                tags, data = tags + "s", data + self.text(argument)
            elif isinstance(argument, int):
                tags, data = tags + "i", data + struct.pack(">i", argument)
            else:
                tags, data = tags + "f", data + struct.pack(">f", argument)
        return self.text(address) + self.text(tags) + data

    def bundle(self, parts: Sequence[bytes]) -> bytes:
        return b"#bundle\0" + struct.pack(">Q", 1) + b"".join(struct.pack(">i", len(p)) + p for p in parts)

    # --- the protocols -------------------------------------------------------------------------------

    def bone(self, name: str, axis: Sequence[float], degrees: float) -> bytes:
        half = math.radians(degrees) / 2
        x, y, z = (part * math.sin(half) for part in axis)
        return self.message("/VMC/Ext/Bone/Pos", name, 0.0, 1.4, 0.0, x, y, z, math.cos(half))

    def shapes(self, given: Face) -> list[bytes]:
        return [self.message("/VMC/Ext/Blend/Val", name, float(value)) for name, value in given.items()]

    def vmc(self, given: Face, bones: Sequence[bytes] = (), time: float = 0.0) -> list[bytes]:
        """A frame in bundles of at most 1500 bytes."""
        parts = [self.message("/VMC/Ext/OK", 1, 3, 0, 1), self.message("/VMC/Ext/T", time), *bones]
        parts += [*self.shapes(given), self.message("/VMC/Ext/Blend/Apply")]
        bundles: list[list[bytes]] = [[]]
        for part in parts:
            if sum(len(p) + 4 for p in bundles[-1]) + len(part) + 20 > 1500:
                bundles.append([])
            bundles[-1].append(part)
        return [self.bundle(each) for each in bundles]

    def ifacialmocap(
        self, given: Face, head: Sequence[float] = (0.0, 0.0, 0.0), mark: str = "-", short: bool = True
    ) -> bytes:
        parts = []
        for name, value in self.face(given).items():
            if short and name not in ("mouthLeft", "mouthRight", "jawLeft", "jawRight"):
                name = name.replace("Left", "_L").replace("Right", "_R")
            parts.append(f"{name}{mark}{round(value * 100)}")
        angles = ",".join(f"{angle:.6f}" for angle in head)
        return "|".join(
            (*parts, f"=head#{angles},0.02,0.1,-0.4", "rightEye#6,2,0.2", "leftEye#6,-1,0.1", "")
        ).encode()

    def facemotion3d(self, given: Face, head: Sequence[float] = (0.0, 0.0, 0.0)) -> bytes:
        return self.ifacialmocap(given, head, "&", short=False).replace(
            b"|=head", b"|FM_SAD&90|FM_VF&50|=head"
        )

    def vtubestudio(
        self, given: Face, head: Sequence[float] = (0.0, 0.0, 0.0), found: bool = True, time: int = 0
    ) -> bytes:
        rx, ry, rz = head
        zero = {"x": 0.0, "y": 0.0, "z": 0.0}
        shapes = [{"k": name[0].upper() + name[1:], "v": value} for name, value in self.face(given).items()]
        return json.dumps(
            {
                "Timestamp": time,
                "Hotkey": -1,
                "FaceFound": found,
                "Rotation": {"x": ry, "y": rx, "z": rz},
                "Position": zero,
                "EyeLeft": zero,
                "EyeRight": zero,
                "BlendShapes": shapes,
            }
        ).encode()

    def openseeface(
        self,
        *,
        time: float = 1.0,
        identity: int = 0,
        open_eyes: Sequence[float] = (1.0, 1.0),
        success: int = 1,
        quaternion: Sequence[float] = (math.sqrt(0.5), math.sqrt(0.5), 0.0, 0.0),
        looks: Sequence[Sequence[float]] = ((0.0, 0.0, 1.0), (0.0, 0.0, 1.0)),
        features: Sequence[float] = (0.0,) * 14,
    ) -> bytes:
        """``looks``: from the eyeball to the pupil, right first, in the face's axes (right, up, out)."""
        points = np.zeros((70, 3))
        points[68:] = (0.25, 0.27, -0.3), (-0.25, 0.27, -0.3)
        points[66:68] = points[68:] + np.array(looks) * 0.1
        data = struct.pack("<di2f2fBf", time, identity, 640, 480, *open_eyes, success, 0.5)
        data += struct.pack("<4f3f3f", *quaternion, 178.0, 1.0, 91.0, 0.3, -0.4, -5.0)
        data += struct.pack("<68f", *[0.9] * 68) + struct.pack("<136f", *range(136))
        for x, y, z in points:
            data += struct.pack("<3f", x, -y, -z)
        return data + struct.pack("<14f", *features)

    # --- faces in motion, and damage -----------------------------------------------------------------

    def moving(self, name: str, seconds: float) -> list[bytes]:
        """The packets of a frame of somebody who talks, blinks and turns the head."""
        wave = [0.5 + 0.5 * math.sin(seconds * rate) for rate in (2.1, 3.7, 1.3)]
        given = {
            "jawOpen": wave[0],
            "mouthFunnel": wave[1],
            "mouthSmileLeft": wave[2],
            "eyeBlinkLeft": wave[1],
        }
        head = (15 * math.sin(seconds), 20 * math.sin(0.7 * seconds), 8 * math.sin(1.3 * seconds))
        if name == "vmc":
            bones = [self.bone("Head", (0, 1, 0), head[1]), self.bone("Neck", (1, 0, 0), head[0])]
            return self.vmc(self.face(given), bones, seconds)
        if name == "openseeface":
            features = [*[0.0] * 12, wave[0] / 2, wave[1] - 0.5]
            return [self.openseeface(time=seconds, open_eyes=(1.0, 1.0 - wave[1]), features=features)]
        if name == "vtubestudio":
            return [self.vtubestudio(given, head, time=int(seconds * 1000))]
        return [getattr(self, name)(given, head)]

    def damaged(self, packet: bytes, rng: np.random.Generator) -> bytes:
        """A packet with bytes changed, cut off, doubled, put in, or replaced by others."""
        data = bytearray(packet)
        for _ in range(int(rng.integers(1, 6))):
            kind, at = int(rng.integers(0, 6)), int(rng.integers(0, len(data) + 1))
            if kind == 0:
                del data[at:]
            elif kind == 1:
                data[at:at] = rng.bytes(int(rng.integers(1, 9)))
            elif kind == 2:
                data[at:at] = data[at : at + int(rng.integers(1, 200))]
            elif kind == 3:
                data[at : at + 4] = struct.pack(">i", int(rng.integers(-(2**31), 2**31)))
            elif kind == 4:
                data[at : at + 8] = rng.choice(
                    [b"\xff" * 8, b"\x7f\x80\0\0" * 2, b"1e999999", b"[[[[[[[[", b"\0" * 8]
                )
            elif data and at < len(data):
                data[at] = int(rng.integers(0, 256))
        return bytes(data[:65_507])


@pytest.fixture(scope="session")
def packets() -> Packets:
    return Packets()


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tracker is not taken for silent while a busy machine gets round to the next line of a test."""
    monkeypatch.setattr(tracker, "LOST_SECONDS", 600.0)


@pytest.fixture
def closing() -> Iterator[Callable[[object], object]]:
    """Stops what it is given when the test is over."""
    opened: list[object] = []

    def keep(source: object) -> object:
        opened.append(source)
        return source

    yield keep
    for source in opened:
        source.stop() if hasattr(source, "stop") else source.close()  # type: ignore[attr-defined]
