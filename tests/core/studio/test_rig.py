# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotations with tha45's signs, and skinning."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywarp.core.studio.pmx import read_pmx
from keywarp.core.studio.rig import BonePose, Rig, bone_roles, part_of, rotation
from keywarp.keyframes import rotation as quaternions

from .models import bust, pmx_bytes

DEGREES = st.floats(-80, 80)


@given(DEGREES, DEGREES, DEGREES)
def test_rotations_are_those_of_the_pose_spaces(pitch: float, yaw: float, roll: float) -> None:
    matrix = rotation(pitch, yaw, roll)
    # Shepperd's method, for a w that is not small.
    w = np.sqrt(max(1 + np.trace(matrix), 1e-12)) / 2
    x, y, z = (
        (matrix[2, 1] - matrix[1, 2]) / (4 * w),
        (matrix[0, 2] - matrix[2, 0]) / (4 * w),
        (matrix[1, 0] - matrix[0, 1]) / (4 * w),
    )
    np.testing.assert_allclose(quaternions.angles([x, y, z, w]), [pitch, yaw, roll], atol=1e-6)
    np.testing.assert_allclose(part_of(matrix, 0.5) @ part_of(matrix, 0.5), matrix, atol=1e-9)


def test_a_head_turns_about_its_neck() -> None:
    figure = read_pmx(Path("bust.pmx"), pmx_bytes(bust()))
    rig = Rig.of(figure)
    assert rig.roles == {"head": 3, "neck": 2, "spine": 1}
    moved, normals = rig.posed(figure.positions, figure.normals, BonePose(head=(10, -20, 5)))
    on_chest = np.array([bone == 1 for _, _, bone in bust().vertices])
    np.testing.assert_allclose(moved[on_chest], figure.positions[on_chest], atol=1e-5)
    # Half of the turn in the neck, the other half in the head, which the neck carries along.
    half = part_of(rotation(10, -20, 5), 0.5)
    neck, head = (np.array(bone[2]) for bone in bust().bones[2:])
    pivot = neck + half @ (head - neck)
    expected = (figure.positions[~on_chest] - head) @ (half @ half).T + pivot
    np.testing.assert_allclose(moved[~on_chest], expected, atol=1e-4)
    np.testing.assert_allclose(normals[~on_chest][0], rotation(10, -20, 5) @ [0, 0, -1], atol=1e-5)


@pytest.mark.parametrize(
    ("names", "roles"),
    [
        (["頭", "首", "左目"], {"head": 0, "neck": 1, "lefteye": 2}),
        (["J_Bip_C_Neck", "J_Bip_C_Head", "J_Bip_L_UpperArm"], {"neck": 0, "head": 1, "leftupperarm": 2}),
        (
            ["mixamorig:Head", "mixamorig:Neck", "mixamorig:LeftArm"],
            {"head": 0, "neck": 1, "leftupperarm": 2},
        ),
        (["Head", "eye.L", "eye.R"], {"head": 0, "lefteye": 1, "righteye": 2}),
    ],
)
def test_bones_are_known_by_their_names(names: list[str], roles: dict[str, int]) -> None:
    from dataclasses import replace

    figure = read_pmx(Path("bust.pmx"), pmx_bytes(bust()))
    named = replace(figure, bone_names=(*names, "x"))
    assert bone_roles(named) == roles
