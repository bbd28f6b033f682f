# SPDX-License-Identifier: GPL-3.0-or-later
"""Generated characters: the same everywhere, unlike each other, whole, and with lids and lips that close."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from keywarp.core.color import from_srgb8
from keywarp.core.framing import Framing
from keywarp.core.head import fits, guess_head
from keywarp.core.opencv import cv2
from keywarp.core.studio.actor import Actor, Pose
from keywarp.core.studio.annotate import CHANNELS, annotate, target_count
from keywarp.core.studio.camera import HEADS
from keywarp.core.studio.dataset import masks
from keywarp.core.studio.figure import Figure
from keywarp.core.studio.figure_file import read_figure, write_figure
from keywarp.core.studio.generator.assemble import LICENCE, annotation, generated
from keywarp.core.studio.generator.chance import Chance
from keywarp.core.studio.generator.recipe import MAX_SEED, recipe
from keywarp.core.studio.generator.source import generated_character, seeds
from keywarp.core.studio.rig import BonePose, Rig
from keywarp.keyframes.errors import KeywarpError

from ..test_photograph import psnr

SIDE = 192
TURNS = ((0.0, 0.0, 0.0), (0.0, 20.0, 0.0), (0.0, -20.0, 0.0), (20.0, 0.0, -10.0), (-20.0, 12.0, 10.0))
RECIPES = "c96db354fe7f67feb8b9fef6eb7b73e7e34dd2033de2a8aa67f8302d01d78efb"
"""SHA-256 of what the first hundred seeds say. A change of it is a change of every character that people know by
its seed."""


@cache
def figure(seed: int) -> Figure:
    return generated(seed, 0.5)


def plain(value: Any) -> Any:
    """Numbers rounded to where libraries of mathematics agree."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return round(value, 9) if isinstance(value, float) else value


def test_a_seed_is_the_same_character_everywhere() -> None:
    said = [plain(recipe(seed).plain()) for seed in range(100)]
    assert hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest() == RECIPES


def test_chance_is_uniform_and_topics_are_apart() -> None:
    chance = Chance(3, "a topic")
    drawn = np.array([chance.unit() for _ in range(4000)])
    assert 0 <= drawn.min() < 0.01
    assert 0.99 < drawn.max() < 1
    assert np.histogram(drawn, 10, (0, 1))[0].min() > 320
    again, other = Chance(3, "a topic"), Chance(3, "another")
    assert [again.unit() for _ in range(3)] == drawn[:3].tolist()
    assert other.unit() != drawn[0]
    picks = [Chance(seed, "x").weighed((("a", 1.0), ("b", 3.0))) for seed in range(800)]
    assert 140 < picks.count("a") < 260


def numbers(value: Any) -> list[float]:
    """The numbers of a recipe, and its names as numbers that lie apart."""
    if isinstance(value, dict):
        return [number for each in value.values() for number in numbers(each)]
    if isinstance(value, (list, tuple)):
        return [number for each in value for number in numbers(each)]
    if isinstance(value, str):
        return [int.from_bytes(hashlib.sha256(value.encode()).digest()[:2], "little") / 65536]
    return [0.0, 0.0, 0.0] if value is None else [float(value)]


def test_seeds_say_different_things(full: bool) -> None:
    said = np.array([numbers(recipe(seed).plain())[1:] for seed in range(2000 if full else 500)])
    spread = said.std(0)
    scaled = (said - said.mean(0))[:, spread > 0] / spread[spread > 0]
    squares = (scaled**2).sum(1)
    apart = squares[:, None] + squares[None] - 2 * scaled @ scaled.T
    np.fill_diagonal(apart, np.inf)
    assert np.sqrt(apart.min() / scaled.shape[1]) > 0.4


def test_characters_look_different(full: bool) -> None:
    count = 60 if full else 12
    small = []
    for seed in range(count):
        picture = Actor(figure(seed), annotation()).studio(128, "flat").rest.astype(np.float32)
        picture[..., :3] *= picture[..., 3:] / 255
        small.append(cv2.resize(picture, (32, 32), interpolation=cv2.INTER_AREA).reshape(-1))
    pixels = np.array(small)
    apart = np.array([np.abs(pixels - one).mean(1) for one in pixels])
    np.fill_diagonal(apart, np.inf)
    assert apart.min() > 4.0
    assert np.median(apart.min(1)) > 12.0


@pytest.mark.parametrize("seed", range(0, 40, 20))
def test_a_character_is_whole(seed: int) -> None:
    made = figure(seed)
    assert made.licence == LICENCE
    assert Rig.of(made).has_eyes
    assert {"head", "neck", "chest", "spine"} <= Rig.of(made).roles.keys()
    np.testing.assert_allclose(made.weights.sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(made.normals, axis=1), 1, atol=1e-4)
    # What the names of its morphs say is what they were made for.
    assert annotate(made) == annotation()
    assert target_count(annotation()) == 23
    assert set(CHANNELS) - set(annotation()) == {"gaze_up", "gaze_down", "gaze_left", "gaze_right"}
    again = generated(seed, 0.5)
    assert again.positions.tobytes() == made.positions.tobytes()
    assert all(np.array_equal(a, b) for a, b in zip(made.textures, again.textures, strict=True))


def test_many_seeds_can_be_built(full: bool) -> None:
    chance = np.random.default_rng(5)
    for seed in [MAX_SEED, *chance.integers(0, MAX_SEED, 400 if full else 4).tolist()]:
        made = generated(seed, 0.25)
        low, high = made.positions.min(0), made.positions.max(0)
        assert (low > (-1.2, -2.2, -0.7)).all()
        assert (high < (1.2, 1.7, 0.9)).all()
        assert len(made.triangles) < 80_000


def painted(seed: int, parts: Callable[[str], bool]) -> Figure:
    """The character with some materials in a colour that nothing else has."""
    made = figure(seed)
    materials = tuple(
        replace(each, colour=(1.0, 0.0, 1.0, each.colour[3]), texture=-1) if parts(each.name) else each
        for each in made.materials
    )
    return replace(made, materials=materials)


def shown(picture: npt.NDArray[np.uint8]) -> int:
    """Pixels of that colour."""
    red, green, blue = (picture[..., i].astype(int) for i in range(3))
    return int(((red > 200) & (blue > 200) & (green < 90)).sum())


@pytest.mark.parametrize("seed", [0, 7])
def test_lids_close_without_a_gap(seed: int) -> None:
    actor = Actor(painted(seed, lambda name: name.startswith(("iris", "eye white"))), annotation())
    studio = actor.studio(SIDE)
    assert shown(studio.rest) > 200
    for turn in TURNS:
        for stem in ("eye_wink", "eye_happy_wink"):
            face = {f"{stem}_{side}": 1.0 for side in ("left", "right")}
            for gaze in ((1.0, -1.0), (-1.0, 1.0)):
                pose = Pose(face, BonePose(turn), gaze)
                assert shown(studio.picture(actor.placed(pose))) == 0


@pytest.mark.parametrize("seed", [1, 8])
def test_a_closed_mouth_shows_nothing_of_its_inside(seed: int) -> None:
    actor = Actor(painted(seed, lambda name: name in ("mouth inside", "teeth", "tongue")), annotation())
    studio = actor.studio(SIDE)
    for turn in TURNS:
        bones = BonePose(turn)
        assert shown(studio.picture(actor.placed(Pose(bones=bones)))) == 0
        assert shown(studio.picture(actor.placed(Pose({"mouth_aaa": 1.0}, bones)))) > 40
        assert shown(studio.picture(actor.placed(Pose({"mouth_smirk": 1.0}, bones)))) == 0


def changed(actor: Actor, face: Mapping[str, float]) -> tuple[npt.NDArray[np.bool_], Mapping[str, Any]]:
    studio = actor.studio(SIDE)
    seen = studio.shot(actor.placed(Pose(face)))
    still = studio.shot(actor.placed())
    moved = np.abs(seen.picture.astype(int) - studio.rest).max(-1) > 4
    around = np.ones((5, 5), np.uint8)  # ends of thin lines hardly move
    return moved, {
        name: cv2.dilate(np.maximum(mask, masks(still)[name]), around) for name, mask in masks(seen).items()
    }


@pytest.mark.parametrize("seed", [11, pytest.param(2, marks=pytest.mark.full)])
def test_every_morph_moves_its_part_alone(seed: int) -> None:
    actor = Actor(figure(seed), annotation())
    for channel in annotation():
        moved, regions = changed(actor, {channel: 1.0})
        assert moved.sum() > 6, channel
        part = {"eye": "eyes", "iri": "eyes", "mou": "mouth"}.get(channel[:3], "face")
        part = "face" if channel.startswith("eyebrow") else part
        assert not (moved & (regions[part] == 0)).any(), channel
        columns = np.flatnonzero(moved.any(0))
        if channel.startswith("eye") or channel.startswith("iris"):
            on_left = channel.endswith("_left")  # the character's left is the picture's right
            assert (columns.min() > SIDE / 2 - 6) if on_left else (columns.max() < SIDE / 2 + 6), channel


@pytest.mark.parametrize("seed", [3, 5])
def test_its_true_flow_is_right(seed: int, tmp_path: Path) -> None:
    path = tmp_path / "character.npz"
    write_figure(path, figure(seed))
    for texture, whole in psnr(path, 256, 2):
        assert texture > 35
        assert whole > 35


def test_hair_lies_outside_of_the_head() -> None:
    for seed in (4, 6, 12):
        made, form = figure(seed), recipe(seed).form
        hair = {i for i, each in enumerate(made.materials) if each.name in ("hair", "hair streak")}
        used = np.unique(made.triangles[np.isin(made.surface, list(hair))])
        points = made.positions[used].astype(float)
        front = (
            (points[:, 1] > 0.2) & (points[:, 1] < 0.7) & (points[:, 2] < 0) & (np.abs(points[:, 0]) < 0.2)
        )
        skin = form.depth(points[:, 0], points[:, 1], 0.0)
        assert front.any()
        assert (points[front, 2] < skin[front] + 1e-3).all()


def test_figures_are_files(tmp_path: Path) -> None:
    made = figure(9)
    write_figure(tmp_path / "nine.npz", made)
    again = read_figure(tmp_path / "nine.npz")
    np.testing.assert_array_equal(again.positions, made.positions)
    np.testing.assert_array_equal(again.triangles, made.triangles)
    assert again.materials == made.materials
    assert again.morphs.keys() == made.morphs.keys()
    for name, morph in made.morphs.items():
        np.testing.assert_array_equal(again.morphs[name].offsets, morph.offsets)
    assert (again.licence, again.credit) == (made.licence, made.credit)


def test_paintings_are_as_fine_as_the_pictures() -> None:
    small, large = (generated_character(1, side) for side in (128, 1024))
    assert [a.shape for a in small.figure.textures if a is not None] != [
        a.shape for a in large.figure.textures if a is not None
    ]
    np.testing.assert_array_equal(small.figure.positions, large.figure.positions)


def test_words_name_seeds() -> None:
    assert seeds("generated:17") == range(17, 18)
    assert seeds("generated:5-9") == range(5, 10)
    for word in (
        "generated:",
        "generated:9-5",
        "generated:x",
        f"generated:{MAX_SEED + 1}",
        "generated:0-4000000",
    ):
        with pytest.raises(KeywarpError, match="generated:17"):
            seeds(word)
    with pytest.raises(KeywarpError, match="seeds"):
        generated(-1)


@pytest.mark.parametrize("framing", ["head", "bust"])
def test_heads_are_found_where_models_expect_them(framing: str) -> None:
    character = generated_character(1030, 128)
    rest = from_srgb8(Actor(character.figure, character.annotation, framing).studio(128).rest)
    head = guess_head(rest)
    assert head is not None
    assert fits(head, Framing.of_square(0, 0, 128), HEADS[framing])
