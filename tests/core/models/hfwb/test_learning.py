# SPDX-License-Identifier: GPL-3.0-or-later
"""HFWB in the training loop: its three stages learn one after another, and resume exactly."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keywarp.core.models.hfwb import FAMILY
from keywarp.core.training.recipe import Recipe, load_recipe
from keywarp.core.training.run_folder import Run, columns_of, read_log
from keywarp.core.training.shards import ShardWriter

from ...training.samples import pairs_to_learn

pytest.importorskip("torch")
pytest.importorskip("safetensors")

SHORT, GAIN = 240, 1
"""Steps of the short form, and the decibels that it must win."""
FALLS = ("grid_content", "grid_flow", "blend_content", "blend_perceptual")


def recipe(steps: int | None) -> Recipe:
    """The preset ``small``, or a shorter one of small pictures."""
    found = load_recipe(FAMILY.recipes, "hfwb", "small")
    if steps is None:
        return found
    return replace(found.with_steps(steps), side=32, network={**found.network, "width": 8})


@pytest.fixture(scope="module")
def data(shared: Path, full: bool, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shards")
    with ShardWriter(folder) as writer:
        for pair in pairs_to_learn(shared / "images", full):
            writer.add(pair)
    return folder


def trained(folder: Path, given: Recipe, data: Path, **limits: Any) -> dict[str, Any]:
    """Everything of the last checkpoint."""
    from keywarp.core.training.checkpoints import PARTS, newest_checkpoint, read_arrays
    from keywarp.core.training.loop import Limits
    from keywarp.core.training.runs import train

    train(Run(given, (str(data),), 7), folder, Limits(log_steps=1, **limits), "cpu")
    newest = newest_checkpoint(folder)
    return {f"{part}:{name}": x for part in PARTS for name, x in read_arrays(newest, part).items()}


@pytest.mark.shared
@pytest.mark.slow
def test_eight_real_pairs_are_learnt_by_heart(data: Path, tmp_path: Path, full: bool) -> None:
    """Rendered ones as a whole under ``--full``; else drawings, in a shorter form on smaller pictures, which must be
    well on its way."""
    from keywarp.core.training.runs import evaluate

    trained(tmp_path / "run", recipe(None if full else SHORT), data, minutes=10 if full else None)
    table = evaluate(tmp_path / "run", [data], "cpu")
    assert table["unposed"]["psnr"] < 22
    assert table["answer"]["psnr"] >= (30 if full else table["unposed"]["psnr"] + GAIN)
    rows = read_log(tmp_path / "run")
    for name in FALLS:
        values = columns_of(rows, name)
        fifth = max(len(values) // 5, 1)
        assert np.mean(values[-fifth:]) < np.mean(values[:fifth]), name


@pytest.mark.shared
@pytest.mark.slow
def test_a_run_that_is_interrupted_ends_as_an_unbroken_one(data: Path, tmp_path: Path, full: bool) -> None:
    """In the middle of a phase, with critics that learn beside it."""
    from keywarp.core.training.checkpoints import checkpoints

    given, every = recipe(50 if full else 8), 15 if full else 3
    first = trained(tmp_path / "whole", given, data, checkpoint_steps=every)
    shutil.copytree(tmp_path / "whole", tmp_path / "broken")
    shutil.rmtree(checkpoints(tmp_path / "broken" / "checkpoints")[-1])
    again = trained(tmp_path / "broken", given, data)
    assert [name for name, value in first.items() if not np.array_equal(again[name], value)] == []
