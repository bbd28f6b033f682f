# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures between rest and pose: stored, chosen, and varied alike."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from keywarp.core.resample import warp_by_flow
from keywarp.core.training.augment import NONE, example
from keywarp.core.training.sample import STAGES, Sample
from keywarp.core.training.shards import ShardWriter, read_shards
from keywarp.core.training.stages import Pair, between
from keywarp.keyframes.errors import KeywarpError

from .samples import SPACE, sample

SIDE = 64


def staged() -> Sample:
    """Of the stage ``morphed`` a patch differs from the rest picture; the others are coloured planes."""
    one = sample(3, SIDE)
    assert one.rest is not None
    stages = {name: np.full_like(one.rest, 40 * n + 60) for n, name in enumerate(STAGES)}
    stages["morphed"] = one.rest.copy()
    stages["morphed"][30:36, 28:36, :3] ^= 128
    return replace(one, stages=stages)


def test_stages_come_back_as_they_were(tmp_path: Path) -> None:
    with ShardWriter(tmp_path) as writer:
        writer.add(staged())
    (found,) = read_shards([tmp_path])
    for name in STAGES:
        assert np.array_equal(found.stages[name], staged().stages[name]), name


def test_a_pair_takes_the_places_of_rest_and_posed() -> None:
    one = staged()
    found = between(one, Pair("browed", "morphed"))
    assert np.array_equal(found.rest, one.stages["browed"])
    assert np.array_equal(found.posed, one.stages["morphed"])
    assert (found.flow, found.visible) == (None, None)
    differs = (found.rest != found.posed).any(-1)
    assert found.regions["face"][differs].all()
    assert between(one, Pair()).rest is one.rest


def test_the_flow_holds_where_the_source_shows_what_the_rest_picture_does() -> None:
    one = staged()
    found = between(one, Pair("morphed", "posed"))
    assert found.flow is one.flow
    assert one.flow is not None and found.visible is not None
    changed = (one.stages["morphed"] != one.rest).any(-1)[..., None].astype(np.float32)
    reached = warp_by_flow(np.repeat(changed, 4, -1), one.flow)[..., 0]
    assert not found.visible[reached > 0.01].any()
    assert found.visible.mean() > 0.9


def test_further_pictures_are_varied_like_the_others() -> None:
    one = replace(staged(), stages={"bare": staged().rest, "brows": staged().posed})
    varied = replace(NONE, flip=1.0, zoom=(1.1, 1.1), shift=0.05, colour=1.0)
    random = np.random.Generator(np.random.PCG64(1))
    found = example(one, SPACE, SIDE, varied, random, ("bare", "brows"))
    assert np.array_equal(found.layers, np.concatenate([found.rest, found.posed], -1))
    assert example(one, SPACE, SIDE, NONE, random).layers.size == 0


def test_a_stage_that_is_missing_or_unknown_is_named() -> None:
    with pytest.raises(KeywarpError, match="sample-0003 has no picture 'bare'"):
        between(sample(3, SIDE), Pair("rest", "bare"))
    with pytest.raises(KeywarpError, match="no picture 'brows'"):
        between(sample(3, SIDE), Pair(layers=("brows",)))
    with pytest.raises(KeywarpError, match="no stage 'nose'; there are bare, brows, browed, morphed"):
        sample(3, SIDE, stages={"nose": sample(3, SIDE).posed})
    with pytest.raises(KeywarpError, match="bare has the shape"):
        sample(3, SIDE, stages={"bare": sample(3, 32).posed})
