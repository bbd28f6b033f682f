# SPDX-License-Identifier: GPL-3.0-or-later
"""What comes with keywarp: the animator of any picture and the demo character, whole and fit for use."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest

from keywarp.core.character import load_character
from keywarp.core.color import from_srgb8
from keywarp.core.framing import Framing
from keywarp.core.models import registry
from keywarp.core.models.exported import MOTION_FILE
from keywarp.core.models.registry import ANIMATOR, DEMO, SHIPPED, default_model, find_model
from keywarp.core.motion import Motion
from keywarp.core.render.performer import Performer
from keywarp.core.render.stage import Stage
from keywarp.core.resample import square_picture
from keywarp.core.studio.actor import Actor
from keywarp.core.studio.generator.source import generated_character
from keywarp.core.training.scores import picture_scores, seen
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.spaces import space

from .stand_in import save_animator

MOST_BYTES = 40 << 20
"""Of everything that ships."""


def check_papers(folder: Path) -> None:
    """A data card with licence and command, and a log beside weights."""
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert any(word in card for word in ("CC0", "CC BY", "MIT")), "a licence"
    if not any(path.suffix in (".onnx", ".pt") for path in folder.iterdir()):
        assert "keywarp bake" in card, "the command that made the picture"
        return
    assert "keywarp train" in card or "keywarp distill" in card, "the command that made the weights"
    logs = list(folder.rglob("*log*.csv"))
    assert logs
    for log in logs:
        with log.open(encoding="utf-8", newline="") as file:
            assert len(list(csv.DictReader(file))) > 0, f"{log.name} tells of no step"


def check_motion(motion: Motion) -> None:
    for plane in (motion.image, motion.flow, motion.painted):
        assert np.isfinite(plane).all()
    assert motion.image.min() >= 0 and motion.image.max() <= 1.0001


def check_animator(folder: Path) -> None:
    """It animates a picture that it has never seen: at rest it shows it, and turning its head moves it."""
    source = find_model(folder)
    assert source.info.picture is None, "it animates any picture"
    assert source.info.licence
    assert source.info.head is not None and source.info.head.side > 0.4, (
        "where it has learnt to find the head"
    )
    character = generated_character(0, 256)
    picture = Actor(character.figure, character.annotation).studio(256, "cel").rest
    framing = Framing.of_square(0, 0, 256)
    animator, poses = source.open("cpu"), space(source.info.space)
    state = animator.prepare(from_srgb8(picture), framing)
    still = animator.motion(state, poses.pose(source.info.rest))
    turned = animator.motion(state, poses.pose({**source.info.rest, **TURNED[poses.name]}))
    check_motion(still)
    check_motion(turned)
    square = square_picture(from_srgb8(picture), framing, source.info.side)
    assert picture_scores(seen(still.image), seen(square))["psnr"] > 20
    figure = square[..., 3] > 0.5
    assert np.abs(still.flow[figure]).mean() < 0.02
    assert np.abs(turned.flow[figure]).mean() > 0.02


def check_demo(folder: Path, learnt: bool = True) -> None:
    """A character whose large picture gives detail at 4K, and whose network, its own or the animator, shows it; one
    that has not ``learnt`` shows anything."""
    who = load_character(folder)
    assert who.name == folder.name
    assert who.licence.startswith(("CC0", "CC BY", "MIT"))
    performer = Performer(who, "cpu")
    own = performer.model.picture
    assert own is None or own.is_file()
    assert performer.model.licence == who.licence
    poses = space(performer.model.space)
    rest = poses.pose(who.resting)
    still = performer.motion(rest)
    check_motion(still)
    closing = poses.pose({**who.resting, **dict.fromkeys(CLOSED[poses.name], 1.0)})
    closed = performer.motion(closing)
    check_motion(closed)
    frame = Stage(performer, size=(320, 180)).frame(closing)
    assert frame.shape == (180, 320, 4) and np.isfinite(frame).all()
    if learnt:
        square = square_picture(performer.artwork.picture, performer.artwork.framing, performer.model.side)
        assert picture_scores(seen(still.image), seen(square))["psnr"] > 22
        assert np.abs(closed.image - still.image).max() > 0.1, "it blinks"
        assert min(performer.artwork.canvas.shape[:2]) >= 2048


TURNED = {"tha45": {"head_y": 1.0}, "animeceleb20gaze": {"yaw": 15.0}}
CLOSED = {
    "tha45": ("eye_wink_left", "eye_wink_right"),
    "animeceleb20gaze": ("eye_closed_left", "eye_closed_right"),
}
CHECKS = {ANIMATOR: check_animator, DEMO: check_demo}


def test_what_ships_is_whole() -> None:
    there = {path.name: path for path in SHIPPED.iterdir() if path.is_dir()} if SHIPPED.is_dir() else {}
    assert set(there) <= set(CHECKS)
    size = sum(path.stat().st_size for path in SHIPPED.rglob("*") if path.is_file()) if there else 0
    assert size <= MOST_BYTES, f"{size / 1048576:.1f} MiB"
    for name, folder in there.items():
        check_papers(folder)
        CHECKS[name](folder)


def test_the_animator_s_stand_in_passes(tmp_path: Path) -> None:
    folder = save_animator(tmp_path / ANIMATOR)
    check_papers(folder)
    check_animator(folder)


def test_a_broken_animator_is_noticed(tmp_path: Path) -> None:
    whole = save_animator(tmp_path / ANIMATOR)
    for name in (MOTION_FILE, "card.json"):
        broken = tmp_path / f"without {name}"
        shutil.copytree(whole, broken)
        (broken / name).unlink()
        with pytest.raises(KeywarpError):
            check_animator(broken)
    data = (whole / MOTION_FILE).read_bytes()
    (whole / MOTION_FILE).write_bytes(data[: len(data) // 2])
    with pytest.raises(KeywarpError, match="no whole ONNX file"):
        check_animator(whole)
    still = save_animator(tmp_path / "still", reach=0.0)
    with pytest.raises(AssertionError):
        check_animator(still)
    (still / "log.csv").write_text("step,loss\n", encoding="utf-8")
    with pytest.raises(AssertionError, match="no step"):
        check_papers(still)


def test_the_default_is_the_one_that_ships(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "SHIPPED", tmp_path / "shipped")
    with pytest.raises(KeywarpError, match=r"^there is no model 'animator', .*--model$"):
        default_model()
    save_animator(tmp_path / "own" / "mine")
    monkeypatch.setenv("KEYWARP_MODELS", str(tmp_path / "own"))
    assert default_model() == "mine"
    save_animator(tmp_path / "shipped" / ANIMATOR)
    assert default_model() == ANIMATOR
    assert find_model(default_model()).info.source == ANIMATOR
