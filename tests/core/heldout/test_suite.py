# SPDX-License-Identifier: GPL-3.0-or-later
"""The bench of truth: its photographs, what it compares, and that a model which knows the truth scores as one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from keywarp.core.color import from_srgb8
from keywarp.core.head import THA_HEAD, HeadTarget
from keywarp.core.heldout import suite, trial
from keywarp.core.heldout.exams import AnimatorExam
from keywarp.core.heldout.page import write_results
from keywarp.core.heldout.photographs import Advance, photographs
from keywarp.core.heldout.subjects import (
    HELD_OUT,
    POSES,
    Subject,
    framing_of,
    generated_subject,
    in_motion,
    turned,
    with_count,
)
from keywarp.core.heldout.trial import ANSWER, METHODS, UNPOSED, WHOLE, parts_of
from keywarp.core.motion import Motion
from keywarp.core.picture import read_picture
from keywarp.core.studio.actor import HEAD, SPACES
from keywarp.core.studio.annotate import target_count
from keywarp.core.studio.camera import HEADS
from keywarp.core.studio.generator.assemble import annotation
from keywarp.core.studio.sampling import SCHEMES
from keywarp.core.training.sample import Sample
from keywarp.keyframes.channels import Poses
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.spaces import space

from ..models.stand_in import SIDE, SPACE, save_animator


@contextlib.contextmanager
def silent(what: str) -> Iterator[Advance]:
    yield lambda done, of: None


@pytest.mark.parametrize("space_name", SPACES)
def test_every_turn_comes_once_with_an_expression_of_its_own(space_name: str) -> None:
    scheme = next(each for each in SCHEMES.values() if each.space == space_name)
    known, poses = annotation(), space(space_name)
    draws = turned(scheme, known.keys(), target_count(known), 7)
    head = [poses.index(name) for name, _ in HEAD[space_name]]
    ends = np.array([poses.channels[column].maximum for column in head])
    turns = {tuple(np.round(draw.pose[head] / ends).astype(int)) for draw in draws}
    assert len(draws) == len(turns) == POSES == 27
    assert {draw.group for draw in draws} == {"0", "1", "2", "3"}
    assert [draw.group for draw in draws].count("3") == 8
    faces = np.delete(np.array([draw.pose for draw in draws]), head, 1)
    assert len(np.unique(faces, axis=0)) > 20
    again = turned(scheme, known.keys(), target_count(known), 7)
    assert all(np.array_equal(a.pose, b.pose) for a, b in zip(draws, again, strict=True))


def test_pictures_are_framed_as_the_model_wants_them() -> None:
    assert framing_of(HEADS["head"]) == "head"
    assert framing_of(THA_HEAD) == "tha"
    assert framing_of(HeadTarget(0.0, 0.0, 1.1)) == "head"
    assert framing_of(None) == "head"


def test_large_poses_are_dealt_out_in_turn() -> None:
    plan = suite.Plan(27, 12, 0)
    places = [suite._large_places(plan, 5, place, 27) for place in range(5)]
    assert [len(each) for each in places] == [3, 3, 2, 2, 2]
    assert len({number for each in places for number in each}) >= 9
    assert len(suite._large_places(suite.Plan(100, 12, 0), 1, 0, 100)) == 12


def test_a_clip_lasts_five_seconds() -> None:
    subject = in_motion(generated_subject(0, SPACE, "head", "flat"))
    poses = np.array([draw.pose for draw in subject.draws])
    assert len(poses) == 120
    assert np.abs(np.diff(poses, axis=0)).max(0).any(), "something moves"


@pytest.fixture(scope="module")
def subject() -> Subject:
    """A generated character in two poses."""
    return with_count(generated_subject(3, SPACE, "head", "cel"), [1, 13])


class Knowing:
    """A performer that answers with the truth."""

    def __init__(self, exam: AnimatorExam, subject: Subject, rest: Path) -> None:
        real = exam.performer(subject, rest)
        self.model, self.rest, self.artwork = real.model, real.rest, real.artwork
        self.samples = [entry.read() for entry in photographs(subject, SIDE).posed]

    def motion(self, pose: Poses) -> Motion:
        sample = next(s for s in self.samples if np.allclose(s.poses[SPACE], pose))
        assert sample.flow is not None and sample.visible is not None
        return Motion(from_srgb8(sample.posed), sample.flow, 1 - sample.visible[..., None])


def test_photographs_are_kept(subject: Subject) -> None:
    first = photographs(subject, SIDE)
    calls: list[int] = []
    again = photographs(subject, SIDE, advance=lambda done, of: calls.append(done))
    assert calls == [] and first.rest == again.rest
    assert read_picture(first.rest).width == SIDE
    sample = again.posed[1].read()
    assert sample.about["group"] == subject.draws[1].group
    parts = parts_of(sample)
    assert parts[WHOLE] is None
    box = parts["face crop"]
    assert box is not None and 0.05 < box.mean() < 0.6
    for name in ("eyes", "mouth"):
        mask = parts[name]
        assert mask is not None and (mask <= box + 0.01).mean() > 0.99, "eyes and mouth lie in the face"


def test_scores_rank_truth_above_a_model_above_nothing(subject: Subject, tmp_path: Path) -> None:
    exam = AnimatorExam.of(save_animator(tmp_path / "animator"), "cpu", 1)
    taken = photographs(subject, SIDE)
    knowing = Knowing(exam, subject, taken.rest)
    for verdict, row in trial.at_own_size(knowing, subject, taken):  # type: ignore[arg-type]
        assert verdict.scores[ANSWER][WHOLE]["psnr"] > 60
        assert verdict.scores[UNPOSED][WHOLE]["psnr"] < 30
        assert verdict.flow[ANSWER] < 0.05 < 2 < verdict.flow[UNPOSED]
        assert "px" in row.caption
    slid = exam.performer(subject, taken.rest)
    for verdict, _ in trial.at_own_size(slid, subject, taken):
        assert verdict.scores[ANSWER][WHOLE]["psnr"] < 40, "the stand-in only slides the picture"


@pytest.mark.slow
def test_the_results_become_a_page(subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole suite with large pictures of 256 pixels, and its page."""
    monkeypatch.setattr(trial, "LARGE", 256)
    monkeypatch.setattr(suite, "LARGE", 256)
    model = save_animator(tmp_path / "animator")
    exam = AnimatorExam.of(model, "cpu", 1)
    found = suite.examine(exam, suite.Plan(2, 1, 0), silent)
    table = suite.table(exam, found)
    assert table["own_size"]["generated"]["poses"] == 2
    large = table["large"]["generated"]
    assert large["poses"] == 1 and set(METHODS) <= set(large)
    write_results(tmp_path / "results", table, found, "keywarp evaluate")
    page = (tmp_path / "results" / "results.md").read_text(encoding="utf-8")
    for name in (*METHODS, "At 128x128", "The worst", "CC0-1.0"):
        assert name in page
    for name in ("poses.png", "worst.png", "large.png"):
        assert f"({name})" in page
        assert read_picture(tmp_path / "results" / name).width > 500


@pytest.mark.slow
def test_true_motion_gives_reswarp_more_than_bicubic_has(subject: Subject, tmp_path: Path) -> None:
    exam = AnimatorExam.of(save_animator(tmp_path / "animator"), "cpu", 1)
    size = 640
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trial, "LARGE", size)
        small = {entry.key: entry.read() for entry in photographs(subject, SIDE).posed}
        taken = photographs(subject, size, False)
        performer = exam.performer(subject, taken.rest)
        knowing = Knowing(exam, subject, photographs(subject, SIDE).rest)
        patch.setattr(performer, "motion", knowing.motion)
        for verdict, _ in trial.at_full_size(performer, subject, taken, small):
            scores = {name: parts[WHOLE]["psnr"] for name, parts in verdict.scores.items()}
            assert scores["ResWarp"] > scores["bicubic"] + 0.5
            assert scores["ResWarp"] > scores[UNPOSED] + 3
            assert len(set(scores.values())) == len(METHODS), "each of them makes another picture"


def test_seeds_are_kept_apart() -> None:
    assert list(HELD_OUT) == list(range(50))


def test_what_cannot_be_examined_says_why(tmp_path: Path) -> None:
    with pytest.raises(KeywarpError, match="64x64 pixels"):
        AnimatorExam.of(save_animator(tmp_path / "small", side=64), "cpu", 1)
    with pytest.raises(KeywarpError, match="no model"):
        AnimatorExam.of("nobody", "cpu", 1)


def test_a_part_without_pixels_is_not_scored() -> None:
    pixels = np.zeros((16, 16, 4), np.uint8)
    some = Sample("a", "a", pixels, regions={"eyes": np.zeros((16, 16), np.float32)})
    assert list(parts_of(some)) == [WHOLE]
