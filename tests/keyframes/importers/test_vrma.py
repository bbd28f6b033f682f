# SPDX-License-Identifier: GPL-3.0-or-later
"""VRM animations: signs, rest poses, samplers, and what is refused."""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.importers import load

STILL = [0.0, 0.0, 0.0, 1.0]


def about(axis: int, degrees: float) -> list[float]:
    q = [0.0, 0.0, 0.0, math.cos(math.radians(degrees) / 2)]
    q[axis] = math.sin(math.radians(degrees) / 2)
    return q


def head(writers: Any, sampler: Any, nodes: Any = None, node: int = 0) -> bytes:
    extension = {"humanoid": {"humanBones": {"head": {"node": node}, "leftHand": {"node": node}}}}
    data: bytes = writers.vrma(nodes or [{}], extension, [(node, "rotation", *sampler)])
    return data


@pytest.mark.parametrize(("axis", "channel", "sign"), [(0, "pitch", -1), (1, "yaw", -1), (2, "roll", 1)])
def test_angles_have_the_signs_of_the_space(
    axis: int, channel: str, sign: int, writers: Any, written: Callable[..., Path]
) -> None:
    """VRM 1.0: right-handed, x to the character's left, y up, z out of the face."""
    data = head(writers, ("LINEAR", [0.0, 2.0], [STILL, about(axis, 30)]))
    imported = load(written(data))
    assert (imported.clip.space, imported.clip.fps, imported.clip.end) == ("vrm", 30, 60)
    assert set(imported.clip.curves) == {f"head_{channel}"}
    curve = imported.clip.curves[f"head_{channel}"]
    assert curve.sample([0, 30, 60]) == pytest.approx([0, sign * 15, sign * 30], abs=0.01)
    assert any("leftHand" in note for note in imported.notes)


def test_rotations_count_from_the_rest_pose_in_the_axes_of_the_whole(
    writers: Any, written: Callable[..., Path]
) -> None:
    """A head whose parent rests turned by 90 degrees about y, and which itself rests turned back."""
    nodes = [{"rotation": about(1, 90), "children": [1]}, {"rotation": about(1, -90)}]
    rest = np.array(about(1, -90))
    # About the whole's x axis by 20 degrees, seen from the parent: about its z axis, then the rest.
    turn = np.array(about(2, 20))
    x1, y1, z1, w1 = turn
    x2, y2, z2, w2 = rest
    local = [
        w1 * x2 + x1 * w2 + y1 * z2 - z1 * y2,
        w1 * y2 - x1 * z2 + y1 * w2 + z1 * x2,
        w1 * z2 + x1 * y2 - y1 * x2 + z1 * w2,
        w1 * w2 - x1 * x2 - y1 * y2 - z1 * z2,
    ]
    data = head(writers, ("LINEAR", [0.0, 1.0], [rest.tolist(), local]), nodes, 1)
    clip = load(written(data)).clip
    assert set(clip.curves) == {"head_pitch"}
    assert abs(clip.curves["head_pitch"].sample([30])[0]) == pytest.approx(20, abs=0.01)


def test_steps_hold(writers: Any, written: Callable[..., Path]) -> None:
    data = head(writers, ("STEP", [0.0, 1.0], [STILL, about(1, 30)]))
    assert load(written(data)).clip.curves["head_yaw"].sample([0, 29.9, 30]) == pytest.approx([0, 0, -30])


def hermite(u: float, d: float, v0: float, m0: float, v1: float, m1: float) -> float:
    """glTF 2.0, appendix C.5."""
    return (
        (2 * u**3 - 3 * u**2 + 1) * v0
        + d * (u**3 - 2 * u**2 + u) * m0
        + (-2 * u**3 + 3 * u**2) * v1
        + d * (u**3 - u**2) * m1
    )


def test_cubic_splines_of_expressions_are_exact(writers: Any, written: Callable[..., Path]) -> None:
    values = [[0, 0, 0], [0.2, 0, 0], [1.5, 0, 0], [-0.5, 0, 0], [0.9, 0, 0], [0, 0, 0]]
    extension = {"expressions": {"preset": {"happy": {"node": 0}}, "custom": {"wink!": {"node": 1}}}}
    second = (1, "translation", "LINEAR", [0.0], [[1, 0, 0]])
    data = writers.vrma([{}, {}], extension, [(0, "translation", "CUBICSPLINE", [0.0, 2.0], values), second])
    imported = load(written(data))
    for u in np.linspace(0, 1, 21):
        expected = hermite(u, 2.0, 0.2, 1.5, 0.9, -0.5)
        assert imported.clip.curves["happy"].sample([u * 60])[0] == pytest.approx(expected, abs=1e-6)
    assert any("wink!" in note for note in imported.notes)


def test_cubic_splines_of_rotations_are_followed(writers: Any, written: Callable[..., Path]) -> None:
    zero = [0.0] * 4
    a, b = np.array(STILL), np.array(about(1, 40))
    data = head(writers, ("CUBICSPLINE", [0.0, 1.0], [zero, STILL, zero, zero, about(1, 40), zero]))
    curve = load(written(data)).clip.curves["head_yaw"]
    for u in np.linspace(0, 1, 17):
        q = np.array([hermite(u, 1.0, x, 0, y, 0) for x, y in zip(a, b)])
        expected = -math.degrees(2 * math.atan2(q[1], q[3]))
        assert curve.sample([u * 30])[0] == pytest.approx(expected, abs=0.05)


def test_look_at_turns_the_eyes(writers: Any, written: Callable[..., Path]) -> None:
    data = writers.vrma(
        [{}], {"lookAt": {"node": 0}}, [(0, "rotation", "LINEAR", [0.0, 1.0], [STILL, about(1, 10)])]
    )
    clip = load(written(data)).clip
    for side in ("left", "right"):
        assert clip.curves[f"eye_{side}_yaw"].sample([30])[0] == pytest.approx(-10, abs=0.01)


def replaced(data: bytes, old: bytes, new: bytes) -> bytes:
    assert len(old) == len(new) and old in data
    return data.replace(old, new, 1)


def test_what_would_read_outside_is_refused(writers: Any, written: Callable[..., Path]) -> None:
    data = writers.valid()["vrma"]
    for old, new in (
        (b'"count": 2', b'"count": 9'),
        (b'"byteOffset": 0', b'"byteOffset": 9'),
        (b'"componentType": 5126', b'"componentType": 5130'),
        (b'"bufferView": 0', b'"bufferView": 9'),
        (b'"bufferView": 0', b'"bufferView":-1'),
        (b'"buffer": 0', b'"buffer": 7'),
        (b'"sampler": 0', b'"sampler": 8'),
        (b"VRMC_vrm_animation", b"VRMC_vrm_animatiox"),
    ):
        with pytest.raises(KeywarpError):
            load(written(replaced(data, old, new) if old[:4] != b"VRMC" else data.replace(old, new)))


def test_infinite_times_and_nodes_in_a_circle_are_refused(writers: Any, written: Callable[..., Path]) -> None:
    good = head(writers, ("LINEAR", [0.0, 1.0], [STILL, STILL]))
    for value in (math.nan, math.inf, -1.0):
        with pytest.raises(KeywarpError):
            load(written(good.replace(struct.pack("<2f", 0.0, 1.0), struct.pack("<2f", 0.0, value), 1)))
    circle = [{"children": [1]}, {"children": [0]}]
    with pytest.raises(KeywarpError, match="ancestor"):
        load(written(head(writers, ("LINEAR", [0.0, 1.0], [STILL, STILL]), circle)))
