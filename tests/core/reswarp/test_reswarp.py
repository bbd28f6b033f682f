# SPDX-License-Identifier: GPL-3.0-or-later
"""ResWarp against pictures warped by exact flows (papers: Animating Through Warping, section 3.4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from scipy.interpolate import RBFInterpolator

from keywarp.core.framing import Framing
from keywarp.core.motion import Motion
from keywarp.core.picture import read_picture
from keywarp.core.resample import inverse, square_picture, square_to_pixels, then
from keywarp.core.reswarp import ResWarp

Image = npt.NDArray[np.float32]
#: (x, y) of the square to where their content comes from, both (N, 2).
Flow = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]

PICTURES = ("renpy_eileen_happy_1080", "renpy_lucy_happy", "raven_aria1", "raven_ol1")


def affine(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Turned by 10 degrees and moved by 5 % of the width."""
    angle = np.radians(10)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return points @ turn.T + [0.1, 0.02]


def radial(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Scaled by up to 12 % in the middle, and swayed."""
    bulge = 1 + 0.12 * np.exp(-2 * (points**2).sum(-1, keepdims=True))
    return (
        points * bulge
        + 0.1 * np.stack([np.sin(2 * points[:, 1]), np.cos(2 * points[:, 0]) - 1], -1)
        + [0, 0.05]
    )


def thin_plate(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """A thin-plate spline through moved anchors, by SciPy."""
    random = np.random.default_rng(5)
    anchors = np.stack(np.meshgrid(np.linspace(-1, 1, 4), np.linspace(-1, 1, 4)), -1).reshape(-1, 2)
    targets = anchors * 0.9 + random.normal(0, 0.04, anchors.shape)
    spline = RBFInterpolator(anchors, targets, kernel="thin_plate_spline")
    moved: npt.NDArray[np.float64] = spline(points)
    return moved


#: Of 8-bit levels, on noise.
WINDOW_ERROR = 0.5 / 255

FLOWS = {"affine": affine, "radial": radial, "thin plate": thin_plate}


def centres(side: int) -> npt.NDArray[np.float64]:
    """(side * side, 2): pixel centres in the square's units."""
    axis = (2 * np.arange(side) + 1) / side - 1
    return np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)


@dataclass
class Case:
    picture: Image
    truth: Image
    motion: Motion
    rest: Image


def warped(picture: Image, flow: Flow) -> Image:
    side = picture.shape[0]
    source = (flow(centres(side)).reshape(side, side, 2) + 1) * side / 2 - 0.5
    return cv2.remap(
        picture, source.astype(np.float32), None, cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REPLICATE
    )


def case(picture: Image, flow: Flow, smaller: int) -> Case:
    truth, low = warped(picture, flow), picture.shape[0] // smaller
    places = centres(low)
    motion = Motion(
        cv2.resize(truth, (low, low), interpolation=cv2.INTER_AREA),
        (flow(places) - places).reshape(low, low, 2).astype(np.float32),
        np.zeros((low, low, 1), np.float32),
    )
    return Case(picture, truth, motion, cv2.resize(picture, (low, low), interpolation=cv2.INTER_AREA))


def drawn(case: Case, multiscale: bool = True) -> Image:
    side = case.picture.shape[0]
    return ResWarp(case.picture, square_to_pixels(side), case.rest, multiscale=multiscale).frame(case.motion)


def bicubic(case: Case) -> Image:
    side = case.picture.shape[0]
    return cv2.resize(case.motion.image, (side, side), interpolation=cv2.INTER_CUBIC)


def psnr(image: Image, truth: Image) -> float:
    return float(-10 * np.log10(np.mean((image.astype(np.float64) - truth) ** 2) + 1e-20))


def colour_and_alpha(image: Image, truth: Image) -> tuple[float, float]:
    """PSNR of premultiplied colour where the truth has alpha, and of alpha."""
    seen = truth[..., 3] > 0
    return psnr(image[..., :3][seen], truth[..., :3][seen]), psnr(image[..., 3], truth[..., 3])


def squared(picture: Image) -> Image:
    """The picture in the middle of a transparent square whose side 16 divides."""
    h, w = picture.shape[:2]
    side = -(-max(h, w) // 16) * 16
    out = np.zeros((side, side, 4), np.float32)
    top, left = (side - h) // 2, (side - w) // 2
    out[top : top + h, left : left + w] = picture
    return out


@pytest.fixture(scope="module", params=PICTURES)
def drawing(request: pytest.FixtureRequest, shared: Path) -> Image:
    return squared(read_picture(shared / "images" / f"{request.param}.png").pixels)


@pytest.mark.shared
@pytest.mark.parametrize("smaller", [4, 8])
@pytest.mark.parametrize("flow", FLOWS)
def test_three_decibels_over_bicubic(drawing: Image, flow: str, smaller: int) -> None:
    some = case(drawing, FLOWS[flow], smaller)
    ours, plain = colour_and_alpha(drawn(some), some.truth), colour_and_alpha(bicubic(some), some.truth)
    assert ours[0] >= plain[0] + 3
    if plain[1] < 100:  # an opaque picture has no alpha to win
        assert ours[1] >= plain[1] + 3


@pytest.mark.shared
@pytest.mark.parametrize("smaller", [4, 8])
@pytest.mark.parametrize("flow", FLOWS)
def test_multiscale_is_nowhere_worse_than_vanilla(drawing: Image, flow: str, smaller: int) -> None:
    some = case(drawing, FLOWS[flow], smaller)
    assert psnr(drawn(some), some.truth) >= psnr(drawn(some, multiscale=False), some.truth) - 0.05


@pytest.mark.shared
@pytest.mark.slow
def test_multiscale_is_better_above_1024(shared: Path) -> None:
    small = squared(read_picture(shared / "images" / "renpy_eileen_happy_1080.png").pixels)
    gains = []
    for side in (small.shape[0], 2048):
        picture = small if side == small.shape[0] else np.clip(
            cv2.resize(small, (side, side), interpolation=cv2.INTER_LANCZOS4), 0, 1
        )  # fmt: skip
        for flow in FLOWS.values():
            for smaller in (4, 8):
                some = case(picture, flow, smaller)
                gains.append(psnr(drawn(some), some.truth) - psnr(drawn(some, multiscale=False), some.truth))
    assert min(gains) >= -0.05
    assert np.mean(gains) > 0.5


@pytest.mark.shared
def test_identity_returns_the_picture(drawing: Image) -> None:
    low = drawing.shape[0] // 4
    rest = cv2.resize(drawing, (low, low), interpolation=cv2.INTER_AREA)
    still = Motion(rest, np.zeros((low, low, 2), np.float32), np.zeros((low, low, 1), np.float32))
    for multiscale in (True, False):
        reswarp = ResWarp(drawing, square_to_pixels(drawing.shape[0]), rest, multiscale=multiscale)
        assert psnr(reswarp.frame(still), drawing) >= 60


@pytest.mark.shared
@pytest.mark.parametrize("told", [True, False], ids=["painted", "found"])
@pytest.mark.parametrize("smaller", [4, 8])
def test_no_ghost_in_a_painted_disc(drawing: Image, smaller: int, told: bool) -> None:
    side = drawing.shape[0]
    plain = case(drawing, affine, smaller)
    x, y = centres(side).reshape(side, side, 2).transpose(2, 0, 1)
    radius = 0.14
    disc = np.clip((radius - np.hypot(x, y + 0.45)) * side / 2 + 0.5, 0, 1)[..., None].astype(np.float32)
    colour = np.array([0.1, 0.7, 0.9, 1], np.float32)
    truth = plain.truth * (1 - disc) + disc * colour
    low = plain.rest.shape[0]
    area = {"dsize": (low, low), "interpolation": cv2.INTER_AREA}
    painted = cv2.resize(disc, **area)[..., None] if told else np.zeros((low, low, 1), np.float32)
    painted_in = Case(
        drawing, truth, Motion(cv2.resize(truth, **area), plain.motion.flow, painted), plain.rest
    )
    ours, up = drawn(painted_in), bicubic(painted_in)
    inside, outside = disc[..., 0] > 0.5, np.hypot(x, y + 0.45) > radius + 12 * 2 / low
    assert np.abs(ours - truth)[inside].mean() <= np.abs(up - truth)[inside].mean()
    without = drawn(plain)
    assert psnr(ours[outside], truth[outside]) >= psnr(without[outside], plain.truth[outside]) - 0.1


def noise_case(width: int, height: int, framing: Framing, side: int = 128) -> tuple[ResWarp, Motion, Image]:
    """Noise, any size, any framing; a motion that turns it."""
    random = np.random.default_rng(1)
    picture = cv2.GaussianBlur(random.random((height, width, 4)).astype(np.float32), (0, 0), 1.0)
    picture[..., 3] = 1
    rest = square_picture(picture, framing, side)
    flow = (affine(centres(side)) - centres(side)).reshape(side, side, 2).astype(np.float32) * 0.3
    where = (
        ((centres(side) + flow.reshape(-1, 2) + 1) * side / 2 - 0.5).reshape(side, side, 2).astype(np.float32)
    )
    image = cv2.remap(rest, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    painted = np.zeros((side, side, 1), np.float32)
    painted[40:60, 50:70] = 1
    square_to_frame = inverse(framing.matrix())
    return ResWarp(picture, square_to_frame, rest), Motion(image, flow, painted), picture


@pytest.mark.parametrize(
    ("width", "height", "framing"),
    [
        (701, 533, Framing.of_square(80, 11, 510)),
        (640, 360, Framing.of_square(-30.5, -200.25, 700)),
        (500, 900, Framing(2 / 480, 12.0, -1.3, -0.8)),
    ],
)
def test_any_window_equals_the_crop_of_the_whole(width: int, height: int, framing: Framing) -> None:
    reswarp, motion, _ = noise_case(width, height, framing)
    whole = reswarp.frame(motion)
    random = np.random.default_rng(2)
    for _ in range(12):
        x, y = random.integers(0, width - 2), random.integers(0, height - 2)
        window = (int(x), int(y), int(random.integers(x + 1, width)), int(random.integers(y + 1, height)))
        part = reswarp.frame(motion, window=window)
        crop = slice(window[1], window[3]), slice(window[0], window[2])
        assert np.abs(part[crop] - whole[crop]).max() <= WINDOW_ERROR


def test_outside_of_the_square_stands_the_still_picture() -> None:
    framing = Framing.of_square(200, 100, 256)
    reswarp, motion, picture = noise_case(700, 500, framing)
    frame = reswarp.frame(motion)
    frame[100:356, 200:456] = picture[100:356, 200:456]
    np.testing.assert_array_equal(frame, picture)


def test_a_tapered_edge_meets_the_still_picture_without_a_seam() -> None:
    framing, side = Framing.of_square(200, 100, 256), 128
    _, motion, picture = noise_case(700, 500, framing, side)
    ramp = np.clip((np.arange(side) + 0.5) / 20, 0, 1) ** 2
    both = np.minimum(ramp, ramp[::-1])
    weight = np.minimum.outer(both, both).astype(np.float32)
    reswarp = ResWarp(
        picture, inverse(framing.matrix()), square_picture(picture, framing, side), weight=weight
    )
    frame = reswarp.frame(motion)
    border = np.abs(frame - picture)
    for line in (border[100, 200:456], border[355, 200:456], border[100:356, 200], border[100:356, 455]):
        assert line.mean() < 0.002
    assert np.abs(frame - picture)[200:260, 300:360].mean() > 0.02  # it does move inside


def test_the_move_mask_holds_what_it_excludes() -> None:
    framing = Framing.of_square(0, 0, 512)
    _, motion, picture = noise_case(512, 512, framing)
    mask = np.zeros((512, 512), np.float32)
    mask[:, 256:] = 1
    reswarp = ResWarp(
        picture, inverse(framing.matrix()), square_picture(picture, framing, 128), move_mask=mask
    )
    frame = reswarp.frame(motion)
    np.testing.assert_array_equal(frame[:, :256], picture[:, :256])
    assert np.abs(frame - picture)[:, 256:].mean() > 0.01


def test_frames_do_not_depend_on_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    from keywarp.core.reswarp import climb, finest

    reswarp, motion, _ = noise_case(701, 533, Framing.of_square(80, 11, 510))
    parallel = reswarp.frame(motion)
    for module in (climb, finest):
        monkeypatch.setattr(module, "in_parallel", lambda work, items: [work(item) for item in items])
    np.testing.assert_array_equal(reswarp.frame(motion), parallel)


def test_nothing_of_another_frame_remains() -> None:
    """Working memory is used again, whatever was drawn in it, and at whatever size."""
    large, motion, picture = noise_case(900, 700, Framing.of_square(80, 11, 610))
    small, other, _ = noise_case(301, 283, Framing.of_square(-10, 20, 240))
    half = np.zeros_like(picture)
    half[:, :300] = picture[:, :300]  # and most of it transparent
    framing = Framing.of_square(80, 11, 610)
    rest = square_picture(half, framing, 128)
    moving = Motion(np.roll(rest, 30, 1), np.roll(motion.flow, 30, 1), motion.painted)
    partly = ResWarp(half, inverse(framing.matrix()), rest)
    alone = partly.frame(moving).copy()
    out = np.full_like(picture, np.nan)
    large.frame(motion, out)
    small.frame(other)
    np.testing.assert_array_equal(partly.frame(moving, out), alone)
    assert not alone[:, 600:].any()


def test_draft_is_within_45_decibels_of_full() -> None:
    framing, side = Framing.of_square(0, 0, 1024), 256
    full, motion, picture = noise_case(1024, 1024, framing, side)
    rest = square_picture(picture, framing, side)
    draft = ResWarp(picture, inverse(framing.matrix()), rest, draft=True)
    assert psnr(draft.frame(motion), full.frame(motion)) >= 45


def test_a_turned_framing_agrees_with_itself() -> None:
    """A rotated square shows the same motion as the picture rotated under an upright square."""
    side, size = 128, 512
    upright = Framing.of_square(128, 128, 256)
    turned = Framing.from_matrix(then(np.array([[0.0, -1.0, size], [1.0, 0.0, 0.0]]), upright.matrix()))
    reswarp, motion, picture = noise_case(size, size, upright, side)
    quarter = np.ascontiguousarray(np.rot90(picture))  # its pixels (x, y) lie at (y, size - x) before
    other = ResWarp(quarter, inverse(turned.matrix()), square_picture(quarter, turned, side))
    expected, found = reswarp.frame(motion), np.rot90(other.frame(motion), -1)
    assert psnr(found[150:360, 150:360], expected[150:360, 150:360]) > 45
