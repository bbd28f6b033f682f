# SPDX-License-Identifier: GPL-3.0-or-later
"""Neutral face, sensitivity, limits, mirror, layers, clips, idle motion and the mouse."""

from __future__ import annotations

from typing import Optional

import numpy as np
import pytest

from keywarp.keyframes.clip import Clip
from keywarp.keyframes.curve import Curve
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.idle import Idle
from keywarp.keyframes.live.calibration import Calibration
from keywarp.keyframes.live.mixer import Layer, Mixer
from keywarp.keyframes.live.playing import ClipSource, IdleSource, MouseSource
from keywarp.keyframes.live.protocols import connect
from keywarp.keyframes.live.shaped import Shape, Shaped
from keywarp.keyframes.live.source import FAILED, LIVE, State
from keywarp.keyframes.spaces import space

SPACE = space("tha45")
HERE = "127.0.0.1"


class Fixed:
    """A source with one pose, or none."""

    def __init__(self, fails: str = "", **values: float) -> None:
        self.values: Optional[dict[str, float]] = values
        self.channels = frozenset(values)
        self.fails, self.running = fails, False

    def start(self) -> None:
        if self.fails:
            raise KeywarpError(self.fails)
        self.running = True

    def stop(self) -> None:
        self.running = False

    @property
    def state(self) -> State:
        return State(LIVE, "fixed")

    def pose(self, now: float) -> Optional[np.ndarray]:
        return None if self.values is None else SPACE.pose({"mouth_aaa": 0.0, **self.values})


def named(pose: np.ndarray) -> dict[str, float]:
    return {name: float(v) for name, v, r in zip(SPACE.names, pose, SPACE.rest()) if abs(v - r) > 1e-12}


# --- the neutral face ---------------------------------------------------------------------------------


def test_the_neutral_face_reads_zero_and_full_stays_full() -> None:
    calibration = Calibration([space("arkit52")])
    for i in range(60):
        calibration.add({"jawOpen": 0.2 + 0.02 * (i % 2), "head_yaw": -8.0, "eyeBlinkLeft": 0.95}, i / 60)
    assert calibration.take()
    corrected = calibration({"jawOpen": 0.21, "head_yaw": -8.0, "mouthPucker": 0.3})
    assert corrected == pytest.approx({"jawOpen": 0.0, "head_yaw": 0.0, "mouthPucker": 0.3}, abs=1e-3)
    assert calibration({"jawOpen": 1.0, "head_yaw": 2.0}) == pytest.approx(
        {"jawOpen": 1.0, "head_yaw": 10.0}, abs=1e-3
    )
    assert calibration({"jawOpen": 0.1}) == {"jawOpen": 0.0}
    assert calibration({"eyeBlinkLeft": 0.95}) == {"eyeBlinkLeft": 0.95}  # somebody who blinked
    calibration.forget()
    assert calibration({"jawOpen": 0.21}) == {"jawOpen": 0.21}


def test_only_the_last_half_second_counts() -> None:
    calibration = Calibration([space("arkit52")])
    for i in range(120):
        calibration.add({"head_pitch": 30.0 if i < 80 else 5.0}, i / 60)
    calibration.take()
    assert calibration.neutral == pytest.approx({"head_pitch": 5.0})


def test_a_tracker_is_calibrated(packets) -> None:
    source = connect("vmc")
    assert not source.calibrate()
    for i in range(30):
        source.take(packets.bundle([packets.bone("Head", (0, 1, 0), 6.0)]), HERE, i / 60)
    assert source.pose(0.5)[SPACE.index("head_y")] == pytest.approx(0.6)
    assert source.calibrate()
    assert source.pose(0.5)[SPACE.index("head_y")] == pytest.approx(0.0, abs=1e-6)
    source.take(packets.bundle([packets.bone("Head", (0, 1, 0), 10.0)]), HERE, 0.6)
    assert source.pose(0.6)[SPACE.index("head_y")] == pytest.approx(0.4, abs=1e-6)


# --- shape --------------------------------------------------------------------------------------------


def shaped(values: dict[str, float], **shape: object) -> dict[str, float]:
    return named(Shaped(Fixed(**values), Shape(smoothing=0.0, **shape)).pose(0.0))


def test_sensitivity_and_limits_are_a_groups() -> None:
    values = {"head_y": -0.3, "mouth_iii": 0.4, "eye_wink_left": 1.0, "mouth_aaa": 0.0}
    got = shaped(values, sensitivity={"Head": 2.0, "Mouth": 3.0}, limits={"Eyes": 0.5, "Mouth": 0.9})
    assert got == pytest.approx({"head_y": -0.6, "mouth_iii": 0.9, "eye_wink_left": 0.5, "mouth_aaa": 0.0})


def test_the_mirror_exchanges_sides() -> None:
    source = Shaped(Fixed(eye_wink_left=1.0, head_y=0.5, head_x=0.2, mouth_aaa=1.0), Shape(0.0, mirror=True))
    assert named(source.pose(0.0)) == {"eye_wink_right": 1.0, "head_y": -0.5, "head_x": 0.2}
    assert source.channels == {"eye_wink_right", "head_y", "head_x", "mouth_aaa"}


def test_smoothing_takes_the_tremble_and_ends_where_the_face_is() -> None:
    rng = np.random.default_rng(1)
    source = Fixed(head_y=0.0, mouth_aaa=0.0)
    smooth = Shaped(source, Shape(smoothing=0.7))
    shown = []
    for i in range(240):
        source.values = {"head_y": 0.5 + rng.normal(0, 0.02)}
        shown.append(smooth.pose(i / 60)[SPACE.index("head_y")])
    assert np.std(shown[60:]) < 0.012 and np.mean(shown[60:]) == pytest.approx(0.5, abs=0.01)
    source.values = {"head_y": -0.5}
    assert smooth.pose(9.0)[SPACE.index("head_y")] == -0.5  # after a pause nothing is dragged along


@pytest.mark.parametrize(
    "wrong",
    [
        {"smoothing": 1.5},
        {"sensitivity": {"Hair": 1.0}},
        {"limits": {"Head": 2.0}},
        {"sensitivity": {"Head": -1.0}},
    ],
)
def test_settings_beyond_their_limits_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(KeywarpError):
        Shape(**wrong)  # type: ignore[arg-type]


# --- layers -------------------------------------------------------------------------------------------


def test_a_tracker_for_the_head_and_a_clip_for_the_mouth() -> None:
    face = Fixed(head_y=0.5, mouth_iii=1.0, eye_wink_left=0.5)
    mouth = Fixed(mouth_ooo=0.8, mouth_aaa=0.0, head_y=-1.0)
    below = Fixed(breathing=0.4, head_y=0.1)
    mixer = Mixer(
        [
            Layer(mouth, priority=2, parts=("Mouth",)),
            Layer(face, priority=1, parts=("Head", "eye_wink_left")),
            Layer(below),
        ]
    )
    mixer.start()
    expected = {"head_y": 0.5, "mouth_ooo": 0.8, "mouth_aaa": 0.0, "eye_wink_left": 0.5, "breathing": 0.4}
    assert named(mixer.pose(0.0)) == pytest.approx(expected)
    assert mixer.channels == {*expected}


def test_weights_and_adding() -> None:
    base, more = Fixed(head_y=0.4), Fixed(head_y=0.3, head_x=-0.5)
    mixer = Mixer([Layer(base), Layer(more, 1, weight=0.5)])
    assert named(mixer.pose(0.0)) == pytest.approx({"head_y": 0.35, "head_x": -0.25})
    mixer = Mixer([Layer(base), Layer(more, 1, weight=2.0, mode="ADD")])
    assert named(mixer.pose(0.0)) == pytest.approx({"head_y": 1.0, "head_x": -1.0})


def test_what_is_lost_fades_to_what_lies_below() -> None:
    face, below = Fixed(head_y=1.0), Fixed(head_y=0.0, breathing=0.5)
    mixer = Mixer([Layer(below), Layer(face, 1)], fade_seconds=0.5)
    at = SPACE.index("head_y")
    assert mixer.pose(0.0)[at] == 1.0
    face.values = None
    assert [mixer.pose(t)[at] for t in (0.25, 0.5, 2.0)] == pytest.approx([0.5, 0.0, 0.0])
    face.values = {"head_y": 1.0}
    assert [mixer.pose(t)[at] for t in (2.1, 2.5, 2.6)] == pytest.approx([0.2, 1.0, 1.0])


def test_the_characters_own_rest_is_kept() -> None:
    mixer = Mixer([Layer(Fixed(head_y=0.2))], rest={"mouth_aaa": 0.0, "eyebrow_happy_left": 0.3})
    assert named(mixer.pose(0.0)) == {"mouth_aaa": 0.0, "eyebrow_happy_left": 0.3, "head_y": 0.2}


def test_a_layer_that_cannot_start_leaves_the_others_running() -> None:
    good, bad = Fixed(head_y=0.2), Fixed(fails="UDP port 1 is taken", head_x=0.1)
    bad.values = None
    mixer = Mixer([Layer(good), Layer(bad, 1)])
    mixer.start()
    assert good.running and named(mixer.pose(0.0)) == {"head_y": 0.2}
    assert mixer.state.phase == FAILED and "taken" in mixer.state.message
    mixer.stop()
    assert not good.running


@pytest.mark.parametrize("wrong", [{"parts": ("Hair",)}, {"mode": "MULTIPLY"}, {"weight": -1.0}])
def test_layers_that_cannot_be(wrong: dict[str, object]) -> None:
    with pytest.raises(KeywarpError):
        Layer(Fixed(), **wrong)  # type: ignore[arg-type]


# --- sources without a tracker ------------------------------------------------------------------------


def clip(last: float) -> Clip:
    return Clip("tha45", {"head_y": Curve.from_points([0, 10, 20], [0.0, 1.0, last])}, 10.0, 0.0, 20.0)


def test_a_clip_plays_at_its_own_rate_and_loops() -> None:
    source = ClipSource(clip(0.0))
    assert source.pose(5.0) is None
    source.start()
    at = SPACE.index("head_y")
    # it meets itself at frame 20, so that its period is two seconds
    played = [source.pose(100.0 + t)[at] for t in (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 102.5)]
    assert played == pytest.approx([0.0, 0.5, 1.0, 0.5, 0.0, 0.5, 0.5])
    assert source.channels == {"head_y"}


def test_a_clip_with_open_ends_shows_its_last_frame() -> None:
    source = ClipSource(clip(0.4))
    source.start()
    at = SPACE.index("head_y")
    assert [source.pose(t)[at] for t in (0.0, 2.0, 2.1)] == pytest.approx([0.0, 0.4, 0.0])
    once = ClipSource(clip(0.4), loop=False, speed=2.0)
    once.start()
    assert [once.pose(t)[at] for t in (0.0, 0.5, 1.0, 9.0)] == pytest.approx([0.0, 1.0, 0.4, 0.4])


def test_a_clip_of_another_space_is_converted() -> None:
    curve = Curve.from_points([0, 10], [5.0, 5.0])
    source = ClipSource(Clip("arkit52", {"head_yaw": curve}, 10.0, 0.0, 10.0))
    source.start()
    assert source.pose(0.0)[SPACE.index("head_y")] == pytest.approx(0.5)
    with pytest.raises(KeywarpError):
        ClipSource(clip(0.0), speed=0.0)


def test_idle_motion_is_that_of_its_own_module() -> None:
    idle = Idle(seed=4)
    source = IdleSource(idle)
    source.start()
    times = np.arange(0, 20, 0.2)
    closed = np.array([source.pose(t)[SPACE.index("eye_wink_left")] for t in times])
    np.testing.assert_allclose(closed, np.clip(idle.blinks(times), 0, 1), atol=1e-12)
    assert closed.max() > 0.3 and source.channels == set(idle.channels)


def test_the_character_looks_at_the_mouse() -> None:
    screen: list[Optional[tuple[float, float]]] = [None]
    source = MouseSource(lambda: screen[0])
    source.start()
    assert source.pose(0.0) is None
    screen[0] = (0.0, -1.0)
    assert source.pose(0.0)[SPACE.index("iris_rotation_x")] == -1.0
    source.move(1.0, 0.0)  # the right edge: against the picture's left
    pose = source.pose(0.0)
    assert pose[SPACE.index("iris_rotation_y")] == -1.0 and pose[SPACE.index("head_y")] < 0
    source.move(0.0, 5.0)
    assert source.pose(0.0)[SPACE.index("iris_rotation_x")] == 1.0
    source.move(float("nan"), 0.0)
    assert np.isfinite(source.pose(0.0)).all()
