# SPDX-License-Identifier: GPL-3.0-or-later
"""The network learns: its losses fall, and an interrupted run ends as an unbroken one."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keywarp.core.models.exported import CARD_FILE, read_card
from keywarp.core.models.ldi import FAMILY
from keywarp.core.studio.dataset import Order, photograph
from keywarp.core.studio.generator.source import generated_character
from keywarp.core.studio.sampling import scheme
from keywarp.core.training.augment import NONE, example
from keywarp.core.training.recipe import Recipe, load_recipe
from keywarp.core.training.run_folder import Run
from keywarp.core.training.shards import ShardWriter, read_shards
from keywarp.keyframes.errors import KeywarpError

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

SIDE, SHORT = 64, 12
TINY = {"width": 8, "blocks": 1, "head": 8}


def taken(folder: Path, count: int) -> Path:
    """Shards with a photograph each of so many generated characters."""
    order = Order(scheme("tha45"), ("cel",), 128, "head", 1, layers=True)
    with ShardWriter(folder) as writer:
        for seed in range(count):
            photograph(generated_character(100 + seed, 128), order, writer, workers=1)
    return folder


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return taken(tmp_path_factory.mktemp("shards"), 4)


def recipe(steps: int, **changed: Any) -> Recipe:
    found = load_recipe(FAMILY.recipes, "ldi", "animator").with_steps(steps)
    return replace(found, **{"side": SIDE, "batch": 2, "network": TINY, **changed})


def trained(folder: Path, given: Recipe, data: Path, kept: int = 0) -> dict[str, np.ndarray]:
    """Everything of the last checkpoint; ``kept``: after every so many steps there is one."""
    from keywarp.core.training.checkpoints import PARTS, newest_checkpoint, read_arrays
    from keywarp.core.training.loop import Limits
    from keywarp.core.training.runs import train

    train(Run(given, (str(data),), 7), folder, Limits(log_steps=1, checkpoint_steps=kept), "cpu")
    newest = newest_checkpoint(folder)
    return {f"{part}:{name}": value for part in PARTS for name, value in read_arrays(newest, part).items()}


@pytest.mark.slow
def test_every_loss_falls(shards: Path) -> None:
    """All pictures in every step, as they are: what a step says is then comparable with the first."""
    from keywarp.core.training.learner import batch_of
    from keywarp.core.training.losses import detail_difference

    torch.manual_seed(2)
    given = recipe(SHORT)
    learner = FAMILY.learner(given, detail_difference)
    random = np.random.Generator(np.random.PCG64(1))
    batch = batch_of([example(sample, given.space, SIDE, NONE, random) for sample in read_shards([shards])])
    optimizer = torch.optim.Adam(learner.rig.parameters(), 5e-3)
    said = []
    for _ in range(SHORT):
        terms = learner.losses("rig", batch)
        said.append({name: float(term.detach()) for name, term in terms.items()})
        optimizer.zero_grad()
        sum(terms.values()).backward()
        optimizer.step()
    assert said[0].keys() == given.losses.keys()
    for name, before in said[0].items():
        assert said[-1][name] < before, name
    assert said[-1]["joints"] < 0.5 * said[0]["joints"]
    assert said[-1]["shapes"] < 0.9 * said[0]["shapes"]


@pytest.mark.slow
def test_a_run_that_is_interrupted_ends_as_an_unbroken_one(shards: Path, tmp_path: Path, full: bool) -> None:
    from keywarp.core.training.checkpoints import checkpoints
    from keywarp.core.training.runs import export

    given = recipe(50 if full else 4)
    first = trained(tmp_path / "whole", given, shards, 2)
    shutil.copytree(tmp_path / "whole", tmp_path / "broken")
    shutil.rmtree(checkpoints(tmp_path / "broken" / "checkpoints")[-1])
    again = trained(tmp_path / "broken", given, shards, 2)
    assert [name for name, value in first.items() if not np.array_equal(again[name], value)] == []
    export(tmp_path / "whole", tmp_path / "model", "CC0", "nobody")
    card = read_card(tmp_path / "model" / CARD_FILE)
    assert card is not None
    assert card.rest == {"mouth_aaa": 0.0}  # as the photographs that it learnt from


def test_samples_without_layers_are_named(shards: Path, tmp_path: Path) -> None:
    with ShardWriter(tmp_path / "bare") as writer:
        for sample in read_shards([shards]):
            writer.add(replace(sample, layered=None))
    with pytest.raises(
        KeywarpError, match="no layers; photograph characters with `keywarp dataset render --layers`"
    ):
        trained(tmp_path / "run", recipe(2), tmp_path / "bare")
