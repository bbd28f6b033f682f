# SPDX-License-Identifier: GPL-3.0-or-later
"""The stream of examples: its order, its place, and that what varies varies together."""

from __future__ import annotations

import pickle
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from keywarp.core.resample import warp_by_flow
from keywarp.core.training.augment import NONE, Augmentation, example, pose_of
from keywarp.core.training.sample import REGIONS, Sample
from keywarp.core.training.shards import ShardWriter
from keywarp.core.training.stream import Stream, shard_groups
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.spaces import space

from .samples import SPACE, sample


class Kept:
    """A sample in memory."""

    def __init__(self, number: int) -> None:
        self.number = number

    def read(self) -> Sample:
        return sample(self.number, 32)


def stream(count: int = 40, **options: object) -> Stream:
    groups = [[Kept(n) for n in range(start, min(start + 8, count))] for start in range(0, count, 8)]
    return Stream(groups, space=SPACE, side=32, **options)


def random(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


@pytest.mark.parametrize("buffer", [1, 7, 1000])
def test_every_epoch_holds_every_sample_once(buffer: int) -> None:
    data = stream(seed=3, buffer=buffer)
    orders = [data._epoch_order(epoch).tolist() for epoch in range(3)]
    assert all(Counter(order) == Counter(range(40)) for order in orders)
    assert orders[0] != orders[1]


def test_the_order_belongs_to_the_seed() -> None:
    one, same, other = (stream(seed=seed)._epoch_order(0).tolist() for seed in (1, 1, 2))
    assert one == same
    assert one != other


def test_a_small_buffer_stays_near_the_shards_own_order() -> None:
    order = stream(400, seed=1, buffer=16)._epoch_order(0)
    groups = order // 8
    # A buffer of two shards: a sample waits for many shards only by bad luck.
    first_of = {group: i for i, group in reversed(list(enumerate(groups.tolist())))}
    assert np.mean([abs(i - first_of[g]) for i, g in enumerate(groups.tolist())]) < 40


def test_a_place_holds_the_same_example_whoever_asks_and_when() -> None:
    data = stream(seed=5, augmentation=Augmentation(background=0.5))
    for _ in range(2):
        list(map(data.__getitem__, range(3)))
    travelled = pickle.loads(pickle.dumps(data))
    for place in (0, 17, 63):
        one, other, fresh = (
            data[place],
            travelled[place],
            stream(seed=5, augmentation=Augmentation(background=0.5))[place],
        )
        for found in (other, fresh):
            assert np.array_equal(one.posed, found.posed)
            assert np.array_equal(one.flow, found.flow)
            assert np.array_equal(one.pose, found.pose)


def test_the_same_sample_varies_between_epochs() -> None:
    data = stream(1, seed=5, augmentation=Augmentation())
    assert not np.array_equal(data[0].posed, data[1].posed)


def _psnr(a: np.ndarray, b: np.ndarray, weight: np.ndarray) -> float:
    return float(-10 * np.log10((((a - b) ** 2).mean(-1) * weight).sum() / weight.sum()))


@pytest.mark.parametrize("stored", [64, 128])
@pytest.mark.parametrize("seed", range(6))
def test_the_true_flow_stays_true_however_the_sample_is_varied(seed: int, stored: int) -> None:
    varied = Augmentation(zoom=(0.8, 1.3), shift=0.3, background=0.5)
    found = example(sample(seed, stored), SPACE, 64, varied, random(seed))
    # Without the background it is seen where the character's own edge is soft: a mean of two motions there.
    alone = example(sample(seed, stored), SPACE, 64, replace(varied, background=0), random(seed)).posed[
        ..., 3
    ]
    weight = found.visible * ((alone > 0.99) | (alone < 0.01)) * (found.posed[..., 3] > 0.99)
    assert weight.sum() > 200
    assert _psnr(warp_by_flow(found.rest, found.flow), found.posed, weight) > 35
    assert _psnr(found.rest, found.posed, weight) < 30


def test_a_background_is_hidden_where_the_character_stood() -> None:
    moved = sample(2, 64)
    shifted = np.roll(moved.rest, 8, axis=1)
    flow = np.zeros((64, 64, 2), np.float32)
    flow[..., 0] = -0.25 * (shifted[..., 3] > 0)
    found = example(
        sample(2, 64, posed=shifted, flow=flow), SPACE, 64, Augmentation(0, (1, 1), 0, 0, 1), random()
    )
    assert found.posed[..., 3].min() == 1
    uncovered = (np.asarray(moved.rest)[..., 3] == 255) & (shifted[..., 3] == 0)
    assert found.visible[uncovered].max() == 0
    assert found.visible[:4].min() == 1
    weight = found.visible * (found.visible > 0.99)
    assert _psnr(warp_by_flow(found.rest, found.flow), found.posed, weight) > 35


def test_a_mirrored_picture_has_the_mirrored_pose() -> None:
    pose = space(SPACE).pose({"eye_closed_left": 1.0, "yaw": 10.0})
    eyes = np.zeros((64, 64), np.float32)
    eyes[20:24, 40:48] = 1  # the character's left is the picture's right
    given = sample(1, poses={SPACE: pose}, regions={"eyes": eyes})
    plain = example(given, SPACE, 64, NONE, random())
    found = example(given, SPACE, 64, Augmentation(1, (1, 1), 0, 0), random())
    assert np.array_equal(found.pose, space(SPACE).pose({"eye_closed_right": 1.0, "yaw": -10.0}))
    assert np.array_equal(found.posed, plain.posed[:, ::-1])
    columns = np.flatnonzero(found.regions[..., REGIONS.index("eyes")].max(0) > 0.5)
    assert (columns.min(), columns.max()) == (16, 23)
    assert _psnr(warp_by_flow(found.rest, found.flow), found.posed, found.posed[..., 3]) > 36


def test_an_opaque_picture_never_shows_what_is_beyond_it() -> None:
    pixels = sample().posed.copy()
    pixels[..., 3] = 255
    given = sample(posed=pixels, rest=pixels, flow=None, visible=None)
    for seed in range(20):
        found = example(given, SPACE, 48, Augmentation(), random(seed))
        assert found.posed[..., 3].min() > 0.99


def test_colours_change_alike_in_both_pictures() -> None:
    given = sample(3)
    given = sample(3, posed=given.rest, flow=None)
    found = example(given, SPACE, 64, Augmentation(0, (1, 1), 0, 1), random(4))
    assert np.array_equal(found.rest, found.posed)
    plain = example(given, SPACE, 64, NONE, random(4))
    assert np.abs(found.posed - plain.posed).max() > 0.02
    assert np.array_equal(found.posed[..., 3], plain.posed[..., 3])
    assert not found.has_flow


def test_a_pose_is_mapped_from_another_space_or_named_by_its_category() -> None:
    by_tha = sample(poses={"tha45": space("tha45").pose({"eye_wink_left": 1.0})})
    assert pose_of(by_tha, "animeceleb20")[space("animeceleb20").index("eye_closed_left")] > 0.9
    labelled = sample(poses={}, category="happy")
    assert pose_of(labelled, "vrm")[space("vrm").index("happy")] == 1
    assert np.array_equal(pose_of(sample(poses={}, category="neutral"), "vrm"), space("vrm").rest())
    with pytest.raises(KeywarpError, match="no pose, from which no pose of vrm follows"):
        pose_of(sample(poses={}), "vrm")


def test_a_folder_without_samples_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeywarpError, match="no samples"):
        shard_groups([tmp_path])


def test_shards_are_streamed(tmp_path: Path) -> None:
    with ShardWriter(tmp_path, per_shard=3) as writer:
        for number in range(7):
            writer.add(sample(number, 32))
    data = Stream(shard_groups([tmp_path]), space=SPACE, side=32, seed=1)
    assert len(data) == 7
    assert Counter(data[place].identity for place in range(7)) == {
        "somebody0": 3,
        "somebody1": 2,
        "somebody2": 2,
    }
