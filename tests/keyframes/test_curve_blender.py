# SPDX-License-Identifier: GPL-3.0-or-later
"""Our curves against Blender's own: random ones of every kind, and the odd ones."""

from __future__ import annotations

import itertools
import json
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple, Optional

import numpy as np
import pytest

from keywarp.keyframes.curve import EXTRAPOLATIONS, SMOOTHINGS, Curve, Cycles, Key
from keywarp.keyframes.cycles import CYCLE_MODES
from keywarp.keyframes.easing import EASINGS
from keywarp.keyframes.handle_types import HANDLE_TYPES
from keywarp.keyframes.keys import INTERPOLATIONS

ORACLE = Path(__file__).resolve().parents[1] / "blender" / "fcurve_oracle.py"

#: Of the curve's range of values.
TOLERANCE = 1e-4
#: Blender's answers are float32.
VALUE_STEPS = 4
#: Slope limit: beyond the keys Blender follows the end's handle, the place of which it keeps in
#: float32. One that reaches less than this many frames is too near to vertical for its slope to be
#: known to 1e-4 (a step is 1.5e-5 frames at frame 128). Within the keys nothing is left out.
SHORTEST_REACH = 0.25

KINDS = list(
    itertools.product(
        [None, *INTERPOLATIONS], [None, *HANDLE_TYPES], EXTRAPOLATIONS, SMOOTHINGS, ["none", "any", "endless"]
    )
)


class Answer(NamedTuple):
    values: np.ndarray
    left: np.ndarray
    right: np.ndarray


def f32(value: float) -> float:
    return float(np.float32(value))


def random_curve(rng: np.random.Generator, kind: tuple[Any, ...]) -> Curve:
    """Of one interpolation and handle type, or (``None``) another for each key."""
    interpolation, handle_type, extrapolation, smoothing, cycles = kind
    n = int(rng.integers(2, 9))
    gaps = rng.choice([0.5, 1.0, 3.0, 7.25, 12.0, 40.0], n)
    if cycles == "none":
        gaps = gaps * rng.uniform(0.7, 1.4, n)
    frames = [f32(frame) for frame in rng.integers(-40, 200) + np.cumsum(gaps)]
    scale = float(rng.choice([0.01, 1.0, 30.0]))
    values = rng.uniform(-scale, scale, n)
    if rng.random() < 0.3:
        values = np.round(values / scale * 2) * scale / 2  # level spans, equal neighbours
    values[0] += scale * (np.ptp(values) == 0)

    def key(i: int) -> Key:
        reach = rng.uniform(0.05, 0.9, 2) * rng.choice([1.0, 1.0, 1.0, 3.0], 2) * gaps[i]
        rise = rng.uniform(-scale, scale, 2)
        return Key(
            frames[i],
            f32(values[i]),
            interpolation or str(rng.choice(INTERPOLATIONS)),
            str(rng.choice(EASINGS)),
            handle_type or str(rng.choice(HANDLE_TYPES)),
            handle_type or str(rng.choice(HANDLE_TYPES)),
            (f32(frames[i] - reach[0]), f32(values[i] + rise[0])),
            (f32(frames[i] + reach[1]), f32(values[i] + rise[1])),
            f32(rng.uniform(0.0, 4.0)),
            f32(rng.choice([0.0, 0.3, 3.0]) * scale),
            f32(rng.choice([0.0, 1.5, 4.1, 9.0])),
        )

    repeats = {"none": lambda *_: None, "any": random_cycles, "endless": endless_cycles}[cycles]
    return Curve([key(i) for i in range(n)], extrapolation, smoothing, repeats(rng, frames[0], frames[-1]))


def endless_cycles(rng: np.random.Generator, first: float, last: float) -> Cycles:
    """Those over the seam of which Blender smooths."""
    return Cycles(*map(str, rng.choice(["REPEAT", "REPEAT_OFFSET"], 2)))


def random_cycles(rng: np.random.Generator, first: float, last: float) -> Cycles:
    limits: tuple[Optional[float], Optional[float]] = (None, None)
    if rng.random() < 0.3:
        limits = first - round((last - first) * 0.6), last + round((last - first) * 1.3)
    return Cycles(*map(str, rng.choice(CYCLE_MODES, 2)), *map(int, rng.integers(0, 3, 2)), *limits)


def frames_to_ask(rng: np.random.Generator, curve: Curve) -> np.ndarray:
    """Within, on, before and after the keys; exact in float32, so that both are asked for the same time."""
    first, last = curve.range
    length = last - first
    around = rng.uniform(first - 2.3 * length, last + 2.3 * length, 40)
    frames = np.concatenate([around, rng.uniform(first, last, 80)])
    return np.concatenate([np.round(frames * 64) / 64, curve.columns.frame])


def blender_properties(curve: Curve, frames: np.ndarray) -> dict[str, Any]:
    """The curve as the oracle takes it."""
    cycles = None
    if curve.cycles is not None:
        cycles = {name: value for name, value in asdict(curve.cycles).items() if value is not None}
        cycles["use_restricted_range"] = curve.cycles.frame_start is not None
    return {
        "keys": [key_properties(key) for key in curve.keys],
        "extrapolation": curve.extrapolation,
        "auto_smoothing": curve.auto_smoothing,
        "cycles": cycles,
        "frames": frames.tolist(),
    }


def key_properties(key: Key) -> dict[str, Any]:
    properties = {name: value for name, value in asdict(key).items() if value is not None}
    del properties["extra"]
    return {"co": (properties.pop("frame"), properties.pop("value")), **properties}


def ask_blender(python: Path, folder: Path, curves: list[Curve], frames: list[np.ndarray]) -> list[Answer]:
    source, target = folder / "curves.json", folder / "answers.json"
    source.write_text(json.dumps([blender_properties(*pair) for pair in zip(curves, frames)]))
    command = [str(python), str(ORACLE), str(source), str(target)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    answers = json.loads(target.read_text())["curves"]
    return [Answer(*(np.array(answer[name]) for name in Answer._fields)) for answer in answers]


def follows_a_steep_handle(curve: Curve, frames: np.ndarray) -> np.ndarray:
    """Which frames are answered along an end's handle that is nearer to vertical than the slope limit."""
    if curve.extrapolation == "CONSTANT":
        return np.full(len(frames), False)
    steep = [curve.columns.frame[end] - curve.handles[end][end, 0] for end in (0, -1)]
    first, last = curve.range
    before, after = (abs(reach) < SHORTEST_REACH for reach in steep)
    return ((frames < first) & before) | ((frames > last) & after)


def assert_same_values(curve: Curve, frames: np.ndarray, theirs: np.ndarray) -> None:
    """Within the keys to 1e-4 of the values there, beyond them to 1e-4 of all values."""
    error = np.abs(curve.sample(frames) - theirs)
    within = (frames >= curve.range[0]) & (frames <= curve.range[1])
    allowed = np.where(within, np.ptp(theirs[within]), np.ptp(theirs)) * TOLERANCE
    allowed += VALUE_STEPS * np.spacing(np.abs(theirs).astype(np.float32))
    wrong = (error > allowed) & ~follows_a_steep_handle(curve, frames)
    worst = int(np.argmax(np.where(wrong, error, -1)))
    assert not wrong.any(), (
        f"frame {frames[worst]}: {curve.sample(frames)[worst]}, Blender has {theirs[worst]}: "
        f"{curve.extrapolation} {curve.auto_smoothing} {curve.cycles} {curve.keys}"
    )


@pytest.fixture(scope="module")
def random_curves(
    blender_python: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[tuple[Curve, np.ndarray, Answer]]:
    rng = np.random.default_rng(20260823)
    curves = [random_curve(rng, kind) for kind in KINDS]
    frames = [frames_to_ask(rng, curve) for curve in curves]
    answers = ask_blender(blender_python, tmp_path_factory.mktemp("curves"), curves, frames)
    return list(zip(curves, frames, answers))


def test_random_curves_have_blenders_values(random_curves: list[tuple[Curve, np.ndarray, Answer]]) -> None:
    assert len(random_curves) >= 500
    for curve, frames, answer in random_curves:
        assert_same_values(curve, frames, answer.values)


def test_the_slope_limit_leaves_out_little(random_curves: list[tuple[Curve, np.ndarray, Answer]]) -> None:
    left_out = [follows_a_steep_handle(curve, frames).mean() for curve, frames, _ in random_curves]
    assert np.mean(left_out) < 0.02


def test_random_curves_have_blenders_handles(random_curves: list[tuple[Curve, np.ndarray, Answer]]) -> None:
    for curve, _, answer in random_curves:
        for ours, theirs in zip(curve.handles, (answer.left, answer.right)):
            size = np.array([np.ptp(curve.columns.frame), np.ptp(theirs[:, 1]) + np.ptp(curve.columns.value)])
            assert np.all(np.abs(ours - theirs) <= TOLERANCE * size), (curve.auto_smoothing, curve.keys)


def bezier(frame: float, value: float, reach_left: float, reach_right: float) -> Key:
    """A key with free level handles."""
    ends = (frame - reach_left, value), (frame + reach_right, value)
    return Key(frame, value, "BEZIER", "AUTO", "FREE", "FREE", *ends)


ODD = {
    "one key": Curve([Key(10, 2.5, handle_left=(9, 2.5), handle_right=(11, 2.5))], "LINEAR"),
    "one linear key": Curve([Key(10, 2.5, "LINEAR")], "LINEAR"),
    "one key with sloped free handles": Curve(
        [Key(10, 2.5, "BEZIER", "AUTO", "FREE", "FREE", (8, 1.0), (12, 5.0))], "LINEAR"
    ),
    "two keys on one frame": Curve(
        [Key(0, 0), Key(10, 1), Key(10, 3), Key(20, 0)], auto_smoothing="CONT_ACCEL"
    ),
    "three linear keys on one frame": Curve(
        [Key(f, v, "LINEAR") for f, v in ((0, 0), (8, 1), (8, 5), (8, 2), (20, 7))]
    ),
    "two keys on the first frame": Curve([Key(0, 0), Key(0, 4), Key(10, 1), Key(20, 0)], "LINEAR"),
    "two keys on the last frame": Curve(
        [Key(0, 0), Key(10, 1), Key(20, 3), Key(20, 9)], "LINEAR", "CONT_ACCEL"
    ),
    "all keys on one frame": Curve([Key(5, 1), Key(5, 2), Key(5, 3)]),
    "keys a hundredth of a frame apart": Curve(
        [
            Key(f, v)
            for f, v in ((0, 0), (5, 1), (5.008, 2), (5.012, 3), (7.995, 0), (8, 2), (8.006, 4), (20, 1))
        ]
    ),
    "free keys on one frame": Curve(
        [bezier(0, 0, 1, 4), bezier(5, 1, 3, 3), bezier(5.004, 4, 4, 2), bezier(9, 0, 1, 2)]
    ),
    "keys out of order": Curve([Key(20, 3), Key(0, 1), Key(12, 2), Key(5, 0)]),
    "handles that overlap": Curve([bezier(0, 0, 1, 25), bezier(10, 1, 25, 1)]),
    "handles that turn vertical": Curve([bezier(0, 0, 1, 10), bezier(10, 1, 10, 1)]),
    "crossed handles": Curve(
        [Key(0, 0, "BEZIER", "AUTO", "FREE", "FREE", (4, 1), (-3, 2)), bezier(10, 1, 4, 4)]
    ),
    "handles on the wrong side": Curve(
        [
            bezier(0, 0, 1, 3),
            Key(10, 1, "BEZIER", "AUTO", "FREE", "FREE", (12, 3), (15, 1)),
            bezier(20, 0, 4, 4),
        ]
    ),
    "aligned to a handle without length": Curve(
        [Key(0, 0), Key(9, 1, "BEZIER", "AUTO", "ALIGNED", "ALIGNED", (9, 1), (12, 4)), Key(20, 2)]
    ),
    "ten keys rising and falling, clamped and smoothed": Curve(
        [Key(7 * i, v) for i, v in enumerate((0, 1, 1.1, 5, 5, 4.9, 0, -3, 2, 2.1))], "LINEAR", "CONT_ACCEL"
    ),
    "an endless wave": Curve(
        [Key(0, 0), Key(6, 1), Key(20, -1), Key(24, 0)], "CONSTANT", "CONT_ACCEL", Cycles()
    ),
    "an endless stair": Curve(
        [Key(0, 0), Key(6, 1), Key(9, 1.5), Key(24, 4)],
        "LINEAR",
        "CONT_ACCEL",
        Cycles("REPEAT_OFFSET", "REPEAT_OFFSET"),
    ),
    "an endless wave of two keys": Curve([Key(0, 0), Key(8, 1)], "LINEAR", "CONT_ACCEL", Cycles()),
    "an endless wave with one fixed key": Curve(
        [
            Key(0, 0),
            Key(6, 1),
            Key(14, 3, "BEZIER", "AUTO", "FREE", "VECTOR", (12, 2)),
            Key(20, -1),
            Key(24, 0),
        ],
        "CONSTANT",
        "CONT_ACCEL",
        Cycles(),
    ),
    "far from the beginning": Curve([Key(9000, 0), Key(9010, 1), Key(9030, -1)], "LINEAR", "CONT_ACCEL"),
}


def test_odd_curves_have_blenders_values(blender_python: Path, tmp_path: Path) -> None:
    curves = list(ODD.values())
    frames = [np.arange(np.floor(c.range[0]) - 12, c.range[1] + 13, 0.125) for c in curves]
    for curve, asked, answer in zip(curves, frames, ask_blender(blender_python, tmp_path, curves, frames)):
        assert_same_values(curve, asked, answer.values)
