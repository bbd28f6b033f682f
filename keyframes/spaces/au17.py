# SPDX-License-Identifier: GPL-3.0-or-later
"""The 17 facial action units whose intensity OpenFace estimates, on its scale from 0 to 5.

Papers/atw, section 4.1, drives its networks with them. A unit has no side: FACS scores both together.
A vector of this space is what such a network takes, so the head's rotation and the gaze, which OpenFace
writes beside the units, are channels of ``au17head``.
"""

from __future__ import annotations

from keywarp.keyframes.channels import Channel, PoseSpace
from keywarp.keyframes.spaces.rows import BROWS, EYES, MOUTH, one

#: OpenFace's largest intensity: FACS's E.
INTENSITY = 5.0


def _unit(number: int, group: str, description: str) -> Channel:
    return one(f"AU{number:02d}", group, f"{description}, intensity 0 to 5", high=INTENSITY)


CHANNELS = (
    _unit(1, BROWS, "inner brow raised"),
    _unit(2, BROWS, "outer brow raised"),
    _unit(4, BROWS, "brow lowered"),
    _unit(5, EYES, "upper lid raised"),
    _unit(6, EYES, "cheek raised"),
    _unit(7, EYES, "lids tightened"),
    _unit(9, MOUTH, "nose wrinkled"),
    _unit(10, MOUTH, "upper lip raised"),
    _unit(12, MOUTH, "lip corners pulled up"),
    _unit(14, MOUTH, "dimples"),
    _unit(15, MOUTH, "lip corners pulled down"),
    _unit(17, MOUTH, "chin raised"),
    _unit(20, MOUTH, "lips stretched"),
    _unit(23, MOUTH, "lips tightened"),
    _unit(25, MOUTH, "lips parted"),
    _unit(26, MOUTH, "jaw dropped"),
    _unit(45, EYES, "blink"),
)

SPACE = PoseSpace("au17", "Facial action units: OpenFace's 17 intensities", CHANNELS)
