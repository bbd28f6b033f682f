# SPDX-License-Identifier: GPL-3.0-or-later
"""Data of two domains, each posed in a space of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from keywarp.core.training.domains import listed_stream, training_stream
from keywarp.core.training.recipe import Phase, Recipe, recipe_of
from keywarp.core.training.sample import Sample
from keywarp.core.training.shards import ShardWriter
from keywarp.core.training.stream import Stored, shard_groups
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.spaces import space

from .samples import sample

SPACES = ("animeceleb20", "bfm70")


def one(number: int, side: int = 32) -> Sample:
    """Of drawn heads poses of a space from which AnimeCeleb's follow; of others the morphable model's."""
    drawn = sample(number, side)
    if number < 5:
        return drawn
    return replace(drawn, poses={"bfm70": np.full(70, number / 100)})


@pytest.fixture(scope="module")
def groups(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Sequence[Stored]]:
    folder = tmp_path_factory.mktemp("shards")
    for name, numbers in (("drawn", range(5)), ("human", range(5, 8))):
        with ShardWriter(folder / name) as writer:
            for number in numbers:
                writer.add(one(number))
    return shard_groups([folder / "human", folder / "drawn"])


def recipe(second: str = SPACES[1]) -> Recipe:
    return Recipe("animo", "test", SPACES[0], 32, 4, (Phase("all", 1, 0.1),), second_space=second)


def test_every_domain_has_its_share_of_a_batch(groups: Sequence[Sequence[Stored]]) -> None:
    stream = training_stream(recipe(), groups, 3)
    found = [stream[place] for place in range(12)]
    assert [e.domain for e in found] == [0, 1] * 6
    assert [len(e.pose) for e in found] == [20, 70] * 6
    # The three human samples come round twice, the five drawn ones in an order of their own.
    assert sorted({round(float(e.pose[0]) * 100) for e in found[1::2]}) == [5, 6, 7]


def test_every_sample_is_listed_once(groups: Sequence[Sequence[Stored]]) -> None:
    listed = listed_stream(recipe(), groups)
    assert len(listed) == 8
    assert [listed[n].domain for n in range(8)] == [0] * 5 + [1] * 3
    assert [listed.stored(n).key for n in range(8)] == [one(n).key for n in range(8)]
    pytest.importorskip("torch")
    from keywarp.core.training.learner import batch_of

    batch = batch_of([listed[0], listed[7]])
    assert batch.pose.shape == (2, 70)
    assert batch.domain.tolist() == [0, 1]
    assert (batch.pose[0, 20:] == 0).all()
    assert np.allclose(batch.pose[0, :20], listed[0].pose, atol=1e-6)
    assert np.allclose(batch.pose[1], 0.07)


def test_one_domain_alone_is_a_stream_as_ever(groups: Sequence[Sequence[Stored]]) -> None:
    stream = training_stream(recipe(), groups[1:], 3)
    assert {stream[place].domain for place in range(6)} == {0}
    with pytest.raises(KeywarpError, match="no pose of animeceleb20 follows"):
        training_stream(recipe(""), groups[:1], 3)[0]
    with pytest.raises(KeywarpError, match="from which no pose of au17 or driver follows"):
        listed_stream(replace(recipe("driver"), space="au17"), groups[:1])


def test_a_recipe_names_a_space_that_there_is() -> None:
    data = {**recipe().as_data(), "second_space": "driver"}
    with pytest.raises(KeywarpError, match="driver"):
        recipe_of(data, "the test")
    assert len(space(recipe_of(recipe().as_data(), "the test").second_space)) == 70


def test_a_folder_of_neither_is_refused(tmp_path: Path) -> None:
    with ShardWriter(tmp_path) as writer:
        writer.add(replace(sample(1, 32), poses={}))
    with pytest.raises(
        KeywarpError, match="sample-0001 has no pose, from which no pose of animeceleb20 or bfm70"
    ):
        training_stream(recipe(), shard_groups([tmp_path]), 0)
