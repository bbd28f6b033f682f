# SPDX-License-Identifier: GPL-3.0-or-later
"""The THA4 student: the published answers, the published layers, and what its Motion promises."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from keywarp.core.color import linear_to_srgb
from keywarp.core.framing import Framing
from keywarp.core.models.registry import find_model, model_at
from keywarp.core.models.tha import student_layout as layout
from keywarp.core.models.tha.cover import APART, Cover, tiles_over
from keywarp.core.models.tha.student import StudentAnimator, StudentState
from keywarp.core.motion import Motion
from keywarp.core.picture import Picture, read_picture
from keywarp.core.render.performer import own_rest
from keywarp.core.resample import square_to_pixels
from keywarp.core.reswarp import ResWarp
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.spaces import space

FACE = slice(80, 208), slice(192, 320)
FRAMING = Framing.of_square(0, 0, 512)


class Student:
    """A student, ready."""

    def __init__(self, folder: Path) -> None:
        animator = model_at(folder).open("cpu")
        assert isinstance(animator, StudentAnimator)
        self.animator = animator
        self.picture: Picture = read_picture(folder / "character.png").pixels
        self.state: StudentState = animator.prepare(self.picture, FRAMING)

    def motion(self, **channels: float) -> Motion:
        return self.animator.motion(self.state, space("tha45").pose(channels))


@pytest.fixture(scope="module")
def lambda_00(shared: Path) -> Student:
    return Student(shared / "reference" / "lambda_00")


def psnr(image: npt.NDArray[Any], truth: npt.NDArray[Any], data_range: float) -> float:
    error = np.mean((image.astype(np.float64) - truth) ** 2)
    return float(10 * np.log10(data_range**2 / max(error, 1e-20)))


@pytest.mark.shared
@pytest.mark.parametrize("number", range(3))
def test_published_answers(shared: Path, lambda_00: Student, number: int) -> None:
    stored = np.load(shared / "reference" / "lambda_00.reference.npz")
    truth = stored["output"][number].astype(np.float32).transpose(1, 2, 0)
    found = lambda_00.animator.motion(lambda_00.state, stored["pose"][number]).image * 2 - 1
    assert psnr(found, truth, 2) >= 50


def random_poses(count: int, seed: int) -> npt.NDArray[np.float64]:
    tha45 = space("tha45")
    share = np.random.default_rng(seed).random((count, 45))
    return tha45.minimum + share * (tha45.maximum - tha45.minimum)


def published_layers(shared: Path) -> Callable[..., dict[str, Any]]:
    """The student in PyTorch, layer by layer: the picture, (1, 4, 512, 512) in [-1, 1], and a pose, (1, 45), to what
    it answers."""
    torch = pytest.importorskip("torch")
    from keywarp.core.models.tha.student_torch import BodyRotator, FaceMorpher, pose_picture

    face, body = FaceMorpher(), BodyRotator()
    for module, name in ((face, "face_morpher"), (body, "body_morpher")):
        file = shared / "reference" / "lambda_00" / f"{name}.pt"
        module.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
    return partial(pose_picture, face, body)


@pytest.mark.shared
def test_layers_as_published_give_the_same(shared: Path, lambda_00: Student) -> None:
    torch = pytest.importorskip("torch")
    published = published_layers(shared)
    picture = torch.from_numpy(lambda_00.picture.transpose(2, 0, 1)[None].copy() * 2 - 1)
    everywhere = StudentState(lambda_00.state.rest.copy(), lambda_00.state.rest_face, Cover.everything())
    for pose in random_poses(2, 3):
        with torch.inference_mode():
            answer = published(picture, torch.from_numpy(pose[None]).float())
        motion = lambda_00.animator.motion(everywhere, pose)
        image = (answer["image"][0].permute(1, 2, 0).numpy() + 1) / 2
        assert np.abs(motion.image - image.clip(0, 1)).max() < 1e-3
        assert np.abs(motion.flow - answer["flow"][0].permute(1, 2, 0).numpy()).max() < 1e-4


@pytest.mark.shared
@pytest.mark.slow
def test_what_ships_is_within_45_decibels_of_the_published_layers(
    shared: Path, lambda_00: Student, full: bool
) -> None:
    """Every answer, where every channel changes: drawn in tiles, and only where something may be visible."""
    torch = pytest.importorskip("torch")
    published = published_layers(shared)
    picture = torch.from_numpy(lambda_00.picture.transpose(2, 0, 1)[None].copy() * 2 - 1)
    for pose in random_poses(30 if full else 2, 0):
        with torch.inference_mode():
            answer = published(picture, torch.from_numpy(pose[None]).float())
        image = ((answer["image"][0].permute(1, 2, 0).numpy() + 1) / 2).clip(0, 1)
        assert psnr(lambda_00.animator.motion(lambda_00.state, pose).image, image, 1) >= 45


@pytest.mark.shared
@pytest.mark.slow
def test_the_cover_loses_nothing_visible(lambda_00: Student, full: bool) -> None:
    """What is left out is noise, and nothing of the character: where the body moves farthest, and in between."""
    everywhere = StudentState(lambda_00.state.rest.copy(), lambda_00.state.rest_face, Cover.everything())
    tha45, random = space("tha45"), np.random.default_rng(77)
    body = list(product(*zip(tha45.minimum[39:], tha45.maximum[39:], strict=True)))
    corners = [np.concatenate([tha45.rest()[:39], corner]) for corner in body]
    scrambled = [np.where(random.random(45) < 0.5, tha45.minimum, tha45.maximum) for _ in range(36)]
    between = [tha45.minimum + random.random(45) * (tha45.maximum - tha45.minimum) for _ in range(100)]
    # First the corner of which a thinner search once cut a tip of hair off.
    faces = [np.concatenate([tha45.rest()[:39], [1, -1, 1, -1, 1, 1]]), *corners[::12], *between[:4]]
    faces += [*corners, *between] if full else []
    for number, pose in enumerate([*faces, *(scrambled if full else scrambled[:4])]):
        whole = lambda_00.animator.motion(everywhere, pose).image
        found = lambda_00.animator.motion(lambda_00.state, pose).image
        assert whole[..., 3][~lambda_00.state.cover.seen].max() < APART
        if number < len(faces):  # expressions at all extremes at once are no face, and leave more traces
            assert psnr(found, whole, 1) >= 55
        # The character is one piece; traces apart from it are noise.
        pieces, labels = cv2.connectedComponents((whole[..., 3] > 0.1).astype(np.uint8))
        sizes = [(labels == i).sum() for i in range(1, pieces)]
        character = labels == 1 + int(np.argmax(sizes))
        np.testing.assert_allclose(found[character], whole[character], atol=1e-4)


@pytest.mark.shared
def test_the_cover_leaves_out_half_of_the_square(lambda_00: Student) -> None:
    assert lambda_00.state.cover.seen.mean() < 0.5


@pytest.mark.shared
def test_a_window_is_that_part_of_the_whole(lambda_00: Student) -> None:
    pose = random_poses(1, 9)[0]
    whole = lambda_00.animator.motion(lambda_00.state, pose)
    for window in ((200, 90, 320, 210), (0, 0, 40, 512), (255, 300, 257, 302)):
        part = lambda_00.animator.motion(lambda_00.state, pose, window)
        crop = slice(window[1], window[3]), slice(window[0], window[2])
        for name in ("image", "flow"):
            assert np.abs(getattr(part, name)[crop] - getattr(whole, name)[crop]).max() < 1e-4


@pytest.mark.shared
def test_a_window_costs_its_share(lambda_00: Student) -> None:
    # Multiply-adds of a tile of each field, in millions.
    cost = {"coarse": 58, "middle": 58, "fine": 17}

    def work(window: tuple[int, int, int, int] | None) -> int:
        plan = lambda_00.state.cover.plan(window)
        return sum(len(getattr(plan, name)) * each for name, each in cost.items())

    whole = work(None)
    assert work((200, 100, 264, 164)) <= 0.25 * whole  # 1.6 % of the square, 4 % of the character
    assert work((192, 80, 320, 208)) <= 0.35 * whole  # the face
    assert work((0, 0, 30, 30)) == 0


@pytest.mark.shared
def test_rest_is_still(lambda_00: Student) -> None:
    motion = lambda_00.motion()
    assert psnr(motion.image, lambda_00.picture, 1) > 30
    seen = lambda_00.picture[..., 3] > 0.5
    assert np.abs(motion.flow)[seen].mean() * 256 < 1  # pixels
    assert motion.painted[seen].mean() < 0.02


@pytest.mark.shared
@pytest.mark.parametrize("head_y", [-1.0, 1.0])
def test_a_turned_head_keeps_its_face(lambda_00: Student, head_y: float) -> None:
    motion = lambda_00.motion(head_y=head_y)
    assert motion.painted[FACE].mean() <= 0.1
    large = cv2.resize(lambda_00.picture, (2048, 2048), interpolation=cv2.INTER_LANCZOS4).clip(0, 1)
    rest = own_rest(lambda_00.motion().image, lambda_00.picture)
    frame = ResWarp(large, square_to_pixels(2048), rest).frame(motion)

    def energy(image: Picture) -> float:
        face = linear_to_srgb(image[320:832, 768:1280, :3].astype(np.float64).clip(0, 1))
        return float(((face - cv2.GaussianBlur(face, (0, 0), 4)) ** 2).sum())

    assert energy(frame) >= 0.8 * energy(large)


@pytest.mark.shared
def test_closed_lids_are_new_content(lambda_00: Student) -> None:
    closed = lambda_00.motion(eye_wink_left=1, eye_wink_right=1)
    # Where the eyes are, the closed lids differ most from the open eyes.
    change = np.abs(np.sqrt(closed.image.clip(0)) - np.sqrt(lambda_00.motion().image.clip(0))).max(-1)
    eyes = np.zeros_like(change, bool)
    eyes[FACE] = change[FACE] > 0.3
    assert eyes.sum() > 100
    assert closed.painted[..., 0][eyes].mean() > 0.8


@pytest.mark.shared
def test_signs_of_the_head(lambda_00: Student) -> None:
    """head_y +1 turns towards the picture's left, head_x +1 looks up: the face goes that way."""

    def face_centre(**channels: float) -> npt.NDArray[np.float64]:
        motion = lambda_00.motion(**channels)
        return -motion.flow[120:190, 220:290].reshape(-1, 2).mean(0).astype(np.float64)

    assert face_centre(head_y=1)[0] < -0.005 < 0.005 < face_centre(head_y=-1)[0]
    assert face_centre(head_x=1)[1] < -0.002 < 0.002 < face_centre(head_x=-1)[1]


def test_tiles_hold_every_marked_pixel_and_do_not_overlap() -> None:
    random = np.random.default_rng(4)
    for _ in range(50):
        mask = random.random((64, 64)) < random.choice([0.001, 0.02, 0.4])
        count = np.zeros((64, 64 + 16), int)
        for left, top in tiles_over(mask, 16, 2):
            assert left % 2 == 0
            count[top : top + 16, left : left + 16] += 1
        assert count.max(initial=0) <= 1
        assert count[:, :64][mask].all()


# Recognition, with weights of no meaning


def random_student(folder: Path) -> Path:
    torch = pytest.importorskip("torch")
    folder.mkdir()
    for name, shapes in (
        ("face_morpher", layout.face_morpher_shapes()),
        ("body_morpher", layout.body_rotator_shapes()),
    ):
        torch.save({key: torch.randn(shape) * 0.01 for key, shape in shapes.items()}, folder / f"{name}.pt")
    return folder


def test_a_student_is_known_by_names_and_shapes(tmp_path: Path) -> None:
    folder = random_student(tmp_path / "who")
    expected = find_model(folder).info
    assert (expected.family, expected.space, expected.side) == ("tha", "tha45", 512)
    (folder / "face_morpher.pt").rename(folder / "swap.pt")
    (folder / "body_morpher.pt").rename(folder / "face_morpher.pt")
    (folder / "swap.pt").rename(folder / "body_morpher.pt")
    assert find_model(folder).info.content == expected.content


def test_what_is_missing_or_wrong_is_said(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    folder = random_student(tmp_path / "who")
    face = folder / "face_morpher.pt"
    state = torch.load(face, weights_only=True)
    torch.save({k: v for k, v in state.items() if "last" not in k}, face)
    with pytest.raises(KeywarpError, match=r"face_morpher\.pt.*2 of 18 tensors are missing"):
        find_model(folder)
    torch.save({**state, "siren.last_linear.bias": torch.zeros(7)}, face)
    with pytest.raises(KeywarpError, match=r"siren\.last_linear\.bias has the shape"):
        find_model(folder)
    face.unlink()
    with pytest.raises(KeywarpError, match=r"face_morpher\.pt, is missing"):
        find_model(folder)
    with pytest.raises(KeywarpError, match="no model"):
        find_model("nobody")
