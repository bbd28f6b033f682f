# SPDX-License-Identifier: GPL-3.0-or-later
"""The layout of MikuMikuDance's motion files, little-endian throughout.

30 bytes signature, 20 bytes the model's name (10 in the oldest files), then sections, each a count and its
records: bones (name 15 bytes, frame, position, quaternion, 64 bytes of interpolation), morphs (name, frame,
weight), camera, light, self-shadow, and the model's visibility with its IK switches. Older files end after
the morphs, or after any later section. Facts: the community's description of the format ("VMD file format",
MMD wiki), and the files themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keywarp.keyframes.errors import KeywarpError

SIGNATURE = b"Vocaloid Motion Data"
_OLDEST = b"Vocaloid Motion Data file"
NAME_BYTES = 15

BONE = np.dtype(
    [
        ("name", np.uint8, 15),
        ("frame", "<u4"),
        ("position", "<f4", 3),
        ("rotation", "<f4", 4),
        ("interpolation", np.uint8, (4, 16)),
    ]
)
MORPH = np.dtype([("name", np.uint8, 15), ("frame", "<u4"), ("weight", "<f4")])
_CAMERA, _LIGHT, _SHADOW = 61, 28, 9
_IK_SWITCH = 21


@dataclass(frozen=True)
class VmdFile:
    """The records of a motion file, in the file's order."""

    model: str
    bones: npt.NDArray[np.void]
    """(n,) of ``BONE``."""
    morphs: npt.NDArray[np.void]
    """(n,) of ``MORPH``."""
    cameras: int
    """How many camera keys there are."""


def decoded(name: bytes) -> str:
    """A name up to its first zero byte, Shift-JIS; half a character at its end is dropped."""
    name = name.split(b"\0")[0]
    try:
        return name.decode("cp932")
    except UnicodeDecodeError as error:
        if error.start == len(name) - 1:
            return name[:-1].decode("cp932")
        return name.decode("cp932", "replace")


def read(data: bytes) -> VmdFile:
    """The sections of a motion file; raises ``KeywarpError`` where it is cut or no such file."""
    if not data.startswith(SIGNATURE):
        raise KeywarpError("this is no MMD motion file: it must begin with 'Vocaloid Motion Data'")
    name_bytes = 10 if data.startswith(_OLDEST) else 20
    sections = _Sections(data, 30)
    model = decoded(sections.take(name_bytes, "the model's name"))
    bones = sections.records(BONE.itemsize, "bone keys")
    morphs = sections.records(MORPH.itemsize, "morph keys")
    cameras = b""
    for size, what in ((_CAMERA, "camera keys"), (_LIGHT, "light keys"), (_SHADOW, "shadow keys")):
        if sections.left:
            records = sections.records(size, what)
            cameras = records if what == "camera keys" else cameras
    if sections.left:
        sections.skip_switches()
    return VmdFile(model, np.frombuffer(bones, BONE), np.frombuffer(morphs, MORPH), len(cameras) // _CAMERA)


class _Sections:
    """A reader that asks the file's length before it takes anything."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data, self.at = data, at

    @property
    def left(self) -> int:
        return len(self.data) - self.at

    def take(self, size: int, what: str) -> bytes:
        if size > self.left:
            raise KeywarpError(
                f"the motion file is cut short: {what} take {size} bytes, but {max(self.left, 0)} are left"
            )
        self.at += size
        return self.data[self.at - size : self.at]

    def count(self, what: str) -> int:
        return int.from_bytes(self.take(4, f"the number of {what}"), "little")

    def records(self, size: int, what: str) -> bytes:
        count = self.count(what)
        return self.take(count * size, f"{count} {what}")

    def skip_switches(self) -> None:
        """The last section: frame, visibility, and a number of IK switches, a name and a byte each."""
        count = self.count("visibility keys")
        if count * 9 > self.left:
            raise KeywarpError(
                f"the motion file is cut short: {count} visibility keys do not fit into {self.left} bytes"
            )
        for _ in range(count):
            self.take(5, "a visibility key")
            self.records(_IK_SWITCH, "IK switches")
