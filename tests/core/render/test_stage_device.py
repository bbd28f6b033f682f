# SPDX-License-Identifier: GPL-3.0-or-later
"""A stage whose model and ResWarp run on a device: nothing leaves it but frames. Here that device is the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keywarp.core.bench.gpu import measure_gpu
from keywarp.core.character import load_character
from keywarp.core.color import over_srgb8, to_srgb8
from keywarp.core.models.tha.student_cuda import DeviceStudentAnimator
from keywarp.core.models.tha.student_files import StudentSource
from keywarp.core.render import stage as stages
from keywarp.core.reswarp.device import DeviceResWarp
from keywarp.core.runtime.device import DeviceMotion
from keywarp.keyframes.spaces import space

pytestmark = [pytest.mark.shared, pytest.mark.slow]


@pytest.fixture
def as_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stages take the way of a GPU, on the CPU."""

    def opened(self: StudentSource, device: str) -> DeviceStudentAnimator:
        return DeviceStudentAnimator(self.info, self.export_whole(), "cpu")

    def made(device: str, *picture: Any, **settings: Any) -> DeviceResWarp:
        return DeviceResWarp(*picture, device="cpu", **settings)

    monkeypatch.setattr(StudentSource, "open", opened)
    monkeypatch.setattr(stages, "reswarp_on", made)


def turned_head() -> np.ndarray[Any, np.dtype[np.float64]]:
    tha45 = space("tha45")
    pose = tha45.rest()
    for name, value in (("head_y", 0.6), ("neck_z", -0.5), ("mouth_aaa", 0.8)):
        pose[tha45.index(name)] = value
    return pose


def test_frames_are_those_of_the_cpu(
    shared: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    character = load_character(shared / "reference" / "lambda_00")
    pose, size = turned_head(), (1024, 768)
    expected = stages.Stage(character, size=size, device="cpu").frame(pose)
    request.getfixturevalue("as_a_device")
    stage = stages.Stage(character, size=size, device="cpu")
    # Read back, the motion would have to be made again on the host.
    monkeypatch.setattr(DeviceMotion, "read", None)
    frame = stage.frame(pose)
    white = (1.0, 1.0, 1.0)
    levels = np.abs(over_srgb8(frame, white).astype(int) - over_srgb8(expected, white)).max(-1)
    assert (levels <= 2).mean() >= 0.999
    pixels = stage.frame_srgb8(pose).astype(int)
    opaque = frame[..., 3] > 0.9
    assert np.abs(pixels - to_srgb8(frame))[opaque].max() <= 1
    assert measure_gpu(stage, pose[None]) > 0
