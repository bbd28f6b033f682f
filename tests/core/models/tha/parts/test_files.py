# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of single networks become one model, which animates any picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keywarp.core.framing import Framing
from keywarp.core.models.registry import find_model
from keywarp.core.models.tha.parts.settings import EDITOR, PARTS, ROTATOR
from keywarp.core.models.tha.teacher_layout import TEACHER
from keywarp.core.training.recipe import Recipe
from keywarp.core.training.run_folder import Run
from keywarp.core.training.shards import ShardWriter
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.spaces import space

from .steps import stepped
from .test_learner import SIDE, recipe

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")


def one_step(given: Recipe, data: Path, folder: Path, **options: Any) -> Path:
    from keywarp.core.training.loop import Limits
    from keywarp.core.training.runs import train

    train(Run(given, (str(data),), 7), folder, Limits(), "cpu", **options)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five runs of a step each, exported into one folder."""
    from keywarp.core.training.runs import export

    folder = tmp_path_factory.mktemp("five")
    with ShardWriter(folder / "shards") as writer:
        writer.add(stepped(0, SIDE))
        writer.add(stepped(1, SIDE))
    for part in PARTS:
        start = folder / "model" if part == EDITOR else None
        run = one_step(recipe(part, 1), folder / "shards", folder / part, start=start)
        if part == EDITOR:
            with pytest.raises(KeywarpError, match=r"the upscaler\.pt beside it is missing"):
                find_model(folder / "model")
        export(run, folder / "model", "CC0", "nobody")
    return folder / "model"


def test_five_runs_become_one_model(model: Path) -> None:
    found = find_model(model)
    assert sorted(path.name for path in model.glob("*.pt")) == sorted(f"{n}.pt" for n in TEACHER.networks)
    info = found.info
    assert (info.family, info.form, info.space, info.side) == ("tha", "THA4 teacher", "tha45", SIDE)
    assert (info.licence, info.credit) == ("CC0", "nobody")


def test_the_model_answers_as_its_networks_do(model: Path, tmp_path: Path) -> None:
    from keywarp.core.models.tha.teacher_files import find_teacher
    from keywarp.core.models.tha.teacher_torch import Teacher

    source = find_teacher(model)
    assert source is not None
    assert source.form == replace(TEACHER, width=8, side=SIDE)
    teacher = Teacher(source.form).load(source.states())
    sample = stepped(3, SIDE)
    assert sample.rest is not None
    from keywarp.core.color import from_srgb8

    picture = from_srgb8(sample.rest)
    pose = space("tha45").pose({"head_y": 1.0, "mouth_aaa": 0.5, "eyebrow_raised_left": 1.0})
    with torch.no_grad():
        planes = torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))[None] * 2 - 1
        wanted = teacher(planes, torch.from_numpy(pose).float()[None])["upscaler"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KEYWARP_CACHE", str(tmp_path))
        animator = source.open("cpu")
        motion = animator.motion(animator.prepare(picture, Framing.of_square(0, 0, SIDE)), pose)
    image = wanted["image"][0].permute(1, 2, 0).numpy() * 0.5 + 0.5
    assert np.abs(motion.image - image.clip(0, 1)).max() < 1e-3
    assert np.abs(motion.flow - wanted["flow"][0].permute(1, 2, 0).numpy()).max() < 1e-3


def test_networks_of_another_size_do_not_join(model: Path, tmp_path: Path) -> None:
    from keywarp.core.training.runs import export

    data = model.parent / "shards"
    wide = recipe(PARTS[2], 1, network={"form": "THA4 teacher", "width": 16})
    with pytest.raises(KeywarpError, match="with a width of 16"):
        export(one_step(wide, data, tmp_path / "wide"), model)
    large = recipe(ROTATOR, 1, side=SIDE)
    with pytest.raises(KeywarpError, match=f"for squares of {SIDE} pixels; the run's are for {2 * SIDE}"):
        export(one_step(large, data, tmp_path / "large"), model)
    assert find_model(model).info.side == SIDE


def test_a_run_begins_with_the_weights_of_a_folder(model: Path, tmp_path: Path) -> None:
    from keywarp.core.models.checkpoint import read_checkpoint
    from keywarp.core.training.checkpoints import newest_checkpoint, read_arrays

    given = recipe(PARTS[2], 1)
    slow = replace(given, phases=(replace(given.phases[0], learning_rate=1e-9, decay_from=1.0),))
    run = one_step(slow, model.parent / "shards", tmp_path / "run", start=model)
    begun = read_checkpoint(model / "face_morpher.pt")
    after = read_arrays(newest_checkpoint(run), "weights")
    assert max(np.abs(after[f"face_morpher.{k}"] - v).max() for k, v in begun.items()) < 1e-6
    with pytest.raises(KeywarpError, match=r"holds no face_morpher\.pt to begin with"):
        one_step(slow, model.parent / "shards", tmp_path / "other", start=tmp_path)
