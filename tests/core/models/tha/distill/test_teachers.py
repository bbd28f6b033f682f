# SPDX-License-Identifier: GPL-3.0-or-later
"""Teachers: what they answer fits together, so that the student's losses mean what they say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keywarp.core.framing import Framing
from keywarp.core.models.base import ModelInfo
from keywarp.core.models.registry import ANIMATOR, model_at
from keywarp.core.models.tha import student_layout as layout
from keywarp.core.models.tha.teacher_files import TeacherSource
from keywarp.core.motion import Motion
from keywarp.core.resample import square_picture, warp_by_flow
from keywarp.core.studio.dataset import open_character
from keywarp.keyframes.channels import Poses
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.spaces import space

from ....studio.models import bust, pmx_bytes, texture_png

torch = pytest.importorskip("torch")

FACE = slice(80, 208), slice(192, 320)
TURNED = {"head_y": 0.8, "neck_z": -0.5, "eye_wink_left": 1.0, "eye_wink_right": 1.0}


def pose(**channels: float) -> Any:
    return torch.from_numpy(space("tha45").pose(channels)[None]).float()


def unit(planes: Any) -> Any:
    """(1, C, h, w) in network space to (h, w, C) in [0, 1]."""
    return planes[0].permute(1, 2, 0).numpy() * 0.5 + 0.5


def moved(picture: Any, flow: Any) -> Any:
    """A picture, (h, w, 4), where a flow, (1, 2, h, w), says; by OpenCV."""
    return warp_by_flow(np.ascontiguousarray(picture), np.ascontiguousarray(flow[0].permute(1, 2, 0).numpy()))


@pytest.fixture
def character(tmp_path: Path) -> Path:
    (tmp_path / "skin.png").write_bytes(texture_png())
    (tmp_path / "Bust.pmx").write_bytes(pmx_bytes(bust()))
    return tmp_path / "Bust.pmx"


def test_a_3d_character_is_framed_for_the_student_and_its_motion_is_true(character: Path) -> None:
    from keywarp.core.models.tha.distill.figure_teacher import FigureTeacher

    teacher = FigureTeacher(open_character(character), "flat", hd_side=512)
    square = teacher.subject.square
    truth = winking = teacher.answer(pose(mouth_aaa=0, eye_wink_left=1, eye_wink_right=1))
    # What an expression changes lies in the student's face, which has room for it.
    changed = np.abs(unit(truth.image) - square).max(-1) > 0.02
    rows, columns = np.nonzero(changed)
    assert FACE[0].start < rows.min() < rows.max() < FACE[0].stop - 1
    assert FACE[1].start < columns.min() < columns.max() < FACE[1].stop - 1
    np.testing.assert_allclose(unit(truth.face), unit(truth.image)[FACE], atol=1e-6)
    assert truth.flow.abs().max() < 1e-3  # of the 2 that the square is wide
    # With the head turned the face is that expression's, and the flow leads into the picture that has it.
    truth = teacher.answer(pose(mouth_aaa=0, **TURNED))
    np.testing.assert_allclose(unit(truth.face), unit(winking.face), atol=1e-6)
    picture = square.copy()
    picture[FACE] = unit(truth.face)
    error = np.abs(moved(picture, truth.flow) - unit(truth.image)).mean(-1)
    known = truth.known[0, 0].numpy()
    shown = (known > 0.99) & (unit(truth.image)[..., 3] > 0.99)
    assert shown.mean() > 0.05
    assert error[shown].mean() < 0.01
    still = np.abs(picture - unit(truth.image)).mean(-1)
    assert error[shown].mean() < 0.5 * still[shown].mean()


def test_a_3d_characters_content_is_its_look(character: Path) -> None:
    from keywarp.core.models.tha.distill.figure_teacher import FigureTeacher

    one, same, other = (
        FigureTeacher(open_character(character), style, hd_side=256).content
        for style in ("flat", "flat", "cel")
    )
    assert one == same != other


class Formula:
    """An animator that shifts its picture by the head, paints the left eye black, and paints anew at the top."""

    def __init__(self, side: int) -> None:
        self.info = ModelInfo("none", "formula", "tha45", side, 0, "", "", "formula", "content")

    def prepare(self, picture: Any, framing: Framing) -> Any:
        return square_picture(picture, framing, self.info.side)

    def motion(self, state: Any, pose: Poses, window: Any = None) -> Motion:
        tha45 = space("tha45")
        side, by = self.info.side, 512 // self.info.side
        flow = np.zeros((side, side, 2), np.float32)
        flow[..., 0] = 0.125 * pose[tha45.index("head_y")]
        image = warp_by_flow(state, flow)
        share = np.float32(pose[tha45.index("eye_wink_left")])
        image[120 // by : 140 // by, 220 // by : 240 // by, :3] *= 1 - share
        painted = np.zeros((side, side, 1), np.float32)
        painted[: 48 // by] = 1
        return Motion(image, flow, painted)


@pytest.mark.parametrize("side", [512, 128])
def test_any_other_model_teaches_by_its_motions(side: int) -> None:
    from keywarp.core.models.tha.distill.animator_teacher import AnimatorTeacher
    from keywarp.core.models.tha.distill.teacher import Subject

    ramp = np.broadcast_to(np.linspace(0, 1, 512, dtype=np.float32)[None, :, None], (512, 512, 4)).copy()
    teacher = AnimatorTeacher(Formula(side), Subject("ramp", ramp))
    truth = teacher.answer(pose(head_y=1, eye_wink_left=1))
    assert truth.drawn is None
    np.testing.assert_allclose(truth.flow[0, 0], 0.125, atol=1e-6)
    assert truth.known is not None
    assert truth.known[0, 0, :46].max() < 1e-6
    assert truth.known[0, 0, 50:].min() > 1 - 1e-6
    face, image = unit(truth.face), unit(truth.image)
    np.testing.assert_allclose(face[70, 60:90, 3], ramp[0, 252:282, 3], atol=2e-3)  # not shifted
    assert face[50, 38, :3].max() < 1e-2  # but winking
    np.testing.assert_allclose(image[300, 100, 3], ramp[0, 132, 3], atol=2e-3)  # 0.125 of 2 are 32 pixels


@pytest.mark.slow
def test_five_networks_teach_with_their_own_intermediate_answers(calm_folder: Path) -> None:
    """Weights that move the picture and draw nothing: then the picture, moved by the flow, is the answer."""
    from keywarp.core.models.tha.distill.network_teachers import FiveNetworks
    from keywarp.core.models.tha.distill.teacher import Subject

    source = model_at(calm_folder)
    assert isinstance(source, TeacherSource)
    y, x = (np.mgrid[0:512, 0:512] + 0.5) / 256 - 1
    alpha = np.clip((0.8 - np.hypot(x * 1.3, y)) * 8, 0, 1)[..., None]
    colour = np.stack([0.5 + 0.4 * np.sin(9 * x), 0.5 + 0.3 * np.sin(7 * y), 0.5 + 0 * x], -1)
    square = np.concatenate([colour * alpha, alpha], -1).astype(np.float32)
    teacher = FiveNetworks(source, Subject("oval", square))
    truth = teacher.answer(pose(head_y=0.7, eye_wink_left=1))
    assert {tuple(x.shape) for x in (truth.face,)} == {(1, 4, layout.FACE_SIDE, layout.FACE_SIDE)}
    assert truth.drawn is not None
    assert truth.known is None
    error = np.abs(moved(square, truth.flow) - unit(truth.image))
    error[20:240, 150:370] = 0  # the face, and what the flow takes to and from there
    assert truth.flow.abs().max() > 1e-3
    assert error.max() < 2e-3


def test_a_student_teaches_what_it_draws(tmp_path: Path) -> None:
    from keywarp.core.models.tha.distill.network_teachers import AnotherStudent
    from keywarp.core.models.tha.distill.teacher import Subject
    from keywarp.core.models.tha.student_files import StudentSource
    from keywarp.core.models.tha.student_torch import BodyRotator, FaceMorpher, initialise

    torch.manual_seed(5)
    for network, name in ((FaceMorpher(), "face_morpher"), (BodyRotator(), "body_morpher")):
        initialise(network)
        torch.save(network.state_dict(), tmp_path / f"{name}.pt")
    source = model_at(tmp_path)
    assert isinstance(source, StudentSource)
    square = np.random.default_rng(1).random((512, 512, 4)).astype(np.float32)
    teacher = AnotherStudent(source, Subject("noise", square))
    truth = teacher.answer(pose(head_y=0.3))
    assert truth.drawn is not None
    picture = square.copy()
    picture[FACE] = unit(truth.face)
    warped, drawn, image = moved(picture, truth.flow), unit(truth.drawn), unit(truth.image)
    # Blended by one alpha map for all four channels.
    share = (image - warped)[..., :1] / (drawn - warped)[..., :1]
    np.testing.assert_allclose(
        image[50:100, 50:100], (warped + share * (drawn - warped))[50:100, 50:100], atol=2e-2
    )


def test_what_a_person_names_is_opened(character: Path, tmp_path: Path) -> None:
    from keywarp.core.models.tha.distill.opening import open_teacher

    with pytest.raises(KeywarpError, match="its own teacher"):
        open_teacher(str(character), "weights", "flat")
    with pytest.raises(KeywarpError, match=r"nothing\.png does not exist"):
        open_teacher(str(tmp_path / "nothing.png"), "weights", "flat")
    taught = open_teacher(str(character.with_name("skin.png")), None, "flat")
    assert taught.name.endswith(f" {ANIMATOR}"), "what moves a picture that names no model teaches it, too"
