# SPDX-License-Identifier: GPL-3.0-or-later
"""The five networks as an Animator: ONNX against PyTorch, incremental evaluation, and what a Motion promises."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from keywarp.core.framing import Framing
from keywarp.core.models.registry import model_at
from keywarp.core.models.tha.stage import Arrays, Stage
from keywarp.core.models.tha.teacher import TeacherAnimator, TeacherState
from keywarp.core.models.tha.teacher_files import TeacherSource
from keywarp.core.motion import Motion
from keywarp.core.resample import identity_map
from keywarp.keyframes.spaces import space

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.slow
THA45 = space("tha45")
POSE = THA45.pose({"head_y": 0.7, "eye_wink_left": 1.0, "eyebrow_angry_right": 0.6, "breathing": 1.0})


def figure(side: int) -> np.ndarray:
    """(side, side, 4): coloured stripes in a soft oval, premultiplied, linear light."""
    y, x = (np.mgrid[0:side, 0:side] + 0.5) / side * 2 - 1
    alpha = np.clip((0.8 - np.hypot(x * 1.3, y)) * 8, 0, 1)[..., None]
    colour = np.stack([0.5 + 0.4 * np.sin(9 * x), 0.5 + 0.3 * np.sin(7 * y), 0.5 + 0 * x], -1)
    return np.concatenate([colour * alpha, alpha], -1).astype(np.float32)


@pytest.fixture(scope="module")
def source(calm_folder: Path, cache: None) -> TeacherSource:
    found = model_at(calm_folder)
    assert isinstance(found, TeacherSource)
    return found


@pytest.fixture(scope="module")
def animator(source: TeacherSource) -> TeacherAnimator:
    opened = source.open("cpu")
    assert isinstance(opened, TeacherAnimator)
    return opened


@pytest.fixture(scope="module")
def state(animator: TeacherAnimator) -> TeacherState:
    return animator.prepare(figure(512), Framing.of_square(0, 0, 512))


@pytest.fixture(scope="module")
def posed(animator: TeacherAnimator, state: TeacherState) -> Motion:
    return animator.motion(state, POSE)


def test_onnx_answers_as_pytorch(calm_teacher: Any, posed: Motion) -> None:
    """From the picture to the Motion, through all five networks."""
    picture = torch.from_numpy(figure(512).transpose(2, 0, 1)[None] * 2 - 1)
    with torch.inference_mode():
        answer = calm_teacher(picture, torch.from_numpy(POSE[None]).float())["editor"]
    image = answer["image"][0].permute(1, 2, 0).numpy() * 0.5 + 0.5
    assert np.abs(posed.image - image.clip(0, 1)).max() < 1e-3
    assert np.abs(posed.flow - answer["flow"][0].permute(1, 2, 0).numpy()).max() < 1e-3
    assert posed.flow.std() > 1 / 256


def test_motion_says_where_content_comes_from(posed: Motion) -> None:
    """These weights only move: the picture, warped by the flow, is the answer, and nothing is new."""
    assert posed.image.shape == (512, 512, 4)
    where = posed.flow * np.float32(256) + identity_map(512, 512)
    moved = cv2.remap(figure(512), where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    away_from_face = np.ones((512, 512), bool)
    away_from_face[10:250, 140:372] = False  # warped twice: by the face's networks, then by the body's
    assert np.abs(posed.flow).max() > 1 / 256
    assert np.abs(moved - posed.image)[away_from_face].max() < 0.02
    assert posed.painted[away_from_face].max() < 0.01
    assert posed.image.min() >= 0
    assert (posed.image[..., :3] <= posed.image[..., 3:] + 0.02).all()


class Counted:
    """A stage that notes when it runs; without the stage itself, all that it answers is nought."""

    def __init__(self, name: str, ran: list[str], stage: Stage | None = None) -> None:
        self.name, self.ran, self.stage = name, ran, stage

    def run(self, values: Arrays) -> Arrays:
        self.ran.append(self.name)
        if self.stage is not None:
            return self.stage.run(values)
        sizes = {"image": 4, "warped": 4, "flow": 2}
        return {name: np.zeros((1, channels, 512, 512), np.float32) for name, channels in sizes.items()}


def test_incremental_is_from_scratch(
    animator: TeacherAnimator, state: TeacherState, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A walk through poses that change one stage at a time ends where a fresh start begins."""
    face = THA45.pose({"mouth_aaa": 1.0})
    brows = THA45.pose({"mouth_aaa": 1.0, "eyebrow_happy_left": 1.0})
    body = THA45.pose({"mouth_aaa": 1.0, "eyebrow_happy_left": 1.0, "neck_z": -0.5})
    with monkeypatch.context() as patch:
        patch.setattr(animator, "_body", Counted("body", []))  # it remembers nothing
        for pose in (POSE, face, brows):
            animator.motion(state, pose)
    walked = animator.motion(state, body)
    fresh = animator.motion(animator.prepare(figure(512), Framing.of_square(0, 0, 512)), body)
    np.testing.assert_array_equal(walked.image, fresh.image)
    np.testing.assert_array_equal(walked.flow, fresh.flow)
    np.testing.assert_array_equal(walked.painted, fresh.painted)


def test_only_what_changed_runs_again(
    animator: TeacherAnimator, state: TeacherState, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []
    monkeypatch.setattr(animator, "_body", Counted("body", ran))
    for name in ("brows", "face"):
        monkeypatch.setattr(animator, f"_{name}", Counted(name, ran, getattr(animator, f"_{name}")))
    animator.motion(state, THA45.rest())
    ran.clear()
    animator.motion(state, THA45.pose({"head_x": 0.5}))
    assert ran == ["body"]
    animator.motion(state, THA45.pose({"head_x": 0.5, "mouth_ooo": 0.5}))
    assert ran == ["body", "face", "body"]
    animator.motion(state, THA45.pose({"head_x": 0.5, "mouth_ooo": 0.5, "eyebrow_raised_left": 1.0}))
    assert ran == ["body", "face", "body", "brows", "face", "body"]


def test_any_picture_by_its_framing(animator: TeacherAnimator, posed: Motion) -> None:
    """Twice as large and set aside: the same square, so the same answer."""
    large = np.zeros((1100, 1300, 4), np.float32)
    large[50:1074, 200:1224] = figure(512).repeat(2, 0).repeat(2, 1)
    found = animator.motion(animator.prepare(large, Framing.of_square(200, 50, 1024)), POSE)
    assert np.abs(found.image - posed.image).mean() < 5e-3


def test_a_clip_is_rendered(
    calm_folder: Path, cache: None, tmp_path: Path, full: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    """From a folder of weights and a picture to frames, by the command line alone."""
    from keywarp.plugin.cli import main

    straight = figure(512)
    straight[..., :3] /= np.maximum(straight[..., 3:], 1e-6)
    levels = (straight[..., [2, 1, 0, 3]].clip(0, 1) * 255).astype(np.uint8)
    assert cv2.imwrite(str(tmp_path / "figure.png"), levels)
    character = {"keywarp": 1, "picture": "figure.png", "model": str(calm_folder)}
    (tmp_path / "figure.yaml").write_text(json.dumps(character))
    turn = {"interpolation": "LINEAR", "points": [[0, 0], [1, 1]]}
    clip = {"keywarp_clip": 1, "space": "tha45", "fps": 24, "start": 0, "end": 1, "curves": {"head_y": turn}}
    (tmp_path / "clip.json").write_text(json.dumps(clip))
    width = 3840 if full else 320
    height = 2160 if full else 180
    arguments = ["render", "figure.yaml", "clip.json", "-o", "frames", "--size", f"{width}x{height}"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        assert main(arguments) == 0, capfd.readouterr().err
    frames = [
        cv2.imread(str(file), cv2.IMREAD_UNCHANGED) for file in sorted((tmp_path / "frames").glob("*.png"))
    ]
    assert [frame.shape for frame in frames] == [(height, width, 4)] * 2
    assert all(frame[..., 3].max() == 255 for frame in frames)
    assert (frames[0] != frames[1]).any()
