# SPDX-License-Identifier: GPL-3.0-or-later
"""What a real OBS shows of a character: the type in its menu, the picture, its alpha, its edges, its motion."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from obs_program import KIND, SCENE, until
from obs_studio import BACK, SIDE, Artist, Studio, encoded, held, likeness, linear, over, packed
from PIL import Image

from keywarp.plugin.obs.settings import DEFAULTS, DRIVERS

pytestmark = [pytest.mark.shared, pytest.mark.slow]

POSE = {"head_y": 0.6, "mouth_aaa": 0.8, "eye_wink_left": 1.0}


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return held(tmp_path, POSE)


def test_the_type_stands_in_the_menu_with_its_defaults(empty_studio: Studio) -> None:
    remote = empty_studio.remote
    assert KIND in remote.ask("GetInputKindList")["inputKinds"]
    assert remote.ask("GetInputDefaultSettings", inputKind=KIND)["defaultInputSettings"] == DEFAULTS


def test_the_window_offers_every_driver(empty_studio: Studio) -> None:
    name = empty_studio.add()
    asked = {"inputName": name, "propertyName": "driver"}
    items = empty_studio.remote.ask("GetInputPropertiesListPropertyItems", **asked)["propertyItems"]
    assert {item["itemValue"]: item["itemName"] for item in items} == DRIVERS


def test_a_clip_is_shown_as_the_command_line_draws_it(
    empty_studio: Studio, character: Path, clip: Path, tmp_path: Path
) -> None:
    drawn = tmp_path / "pose.png"
    poses = [word for name, value in POSE.items() for word in ("--set", f"{name}={value}")]
    command = [sys.executable, "-m", "keywarp.plugin.cli", "pose", str(character), *poses, "-o", str(drawn)]
    subprocess.run([*command, "--size", f"{SIDE}x{SIDE}"], check=True, capture_output=True)
    with Image.open(drawn) as image:
        expected = np.asarray(image.convert("RGBA"))
    name = empty_studio.add(driver="clip", clip=str(clip))
    assert likeness(empty_studio.shows(name, expected), expected) >= 40


def test_over_a_colour_no_edge_is_darker_or_brighter(
    empty_studio: Studio, artist: Artist, clip: Path
) -> None:
    empty_studio.put_behind()
    picture = artist.pose(**POSE)
    empty_studio.shows(empty_studio.add(driver="clip", clip=str(clip)), picture)
    seen = empty_studio.remote.screenshot(SCENE)[:SIDE, :SIDE, :3].astype(np.float64)
    right = over(picture, BACK)
    assert likeness(seen, right) >= 40
    edge = (picture[..., 3] > 0) & (picture[..., 3] < 255)
    difference = seen[edge] - right[edge]
    assert np.abs(difference).max() <= 3
    assert np.abs(difference.mean(axis=0)).max() <= 0.3


def test_scaled_down_by_obs_nothing_hidden_comes_into_the_edges(
    empty_studio: Studio, artist: Artist, clip: Path
) -> None:
    empty_studio.put_behind()
    picture = artist.pose(**POSE)
    name = empty_studio.add(driver="clip", clip=str(clip))
    empty_studio.shows(name, picture)
    remote = empty_studio.remote
    number = remote.ask("GetSceneItemId", sceneName=SCENE, sourceName=name)["sceneItemId"]
    half = {"scaleX": 0.5, "scaleY": 0.5}
    remote.ask("SetSceneItemTransform", sceneName=SCENE, sceneItemId=number, sceneItemTransform=half)
    side = SIDE // 2

    def small() -> np.ndarray | None:
        seen = remote.screenshot(SCENE)[..., :3].astype(np.float64)
        outside = np.abs(seen[:, side:] - np.array(BACK)).max()
        return seen[:side, :side] if outside <= 1 else None

    seen = until(small)
    # OBS filters colour and alpha each by itself: what stands in transparent pixels counts.
    colour, alpha = halved(linear(picture[..., :3])), halved(picture[..., 3:] / 255)
    right = encoded(colour * alpha + linear(np.array(BACK)) * (1 - alpha))
    edge = (alpha > 0)[..., 0] & (alpha < 1)[..., 0]
    assert np.abs((seen[edge] - right[edge]).mean(axis=0)).max() <= 0.5


def halved(picture: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Means of two by two pixels."""
    return picture.reshape(SIDE // 2, 2, SIDE // 2, 2, -1).mean(axis=(1, 3))


def test_a_colour_can_stand_behind_the_character(empty_studio: Studio, artist: Artist, clip: Path) -> None:
    name = empty_studio.add(driver="clip", clip=str(clip), backed=True, background=packed(BACK))
    opaque = np.full((SIDE, SIDE, 4), 255, np.uint8)
    opaque[..., :3] = np.rint(over(artist.pose(**POSE), BACK))
    empty_studio.shows(name, opaque)


def test_a_clip_goes_round(empty_studio: Studio, artist: Artist, tmp_path: Path) -> None:
    other = {"head_y": -0.6, "mouth_ooo": 1.0}
    name = empty_studio.add(driver="clip", clip=str(held(tmp_path, POSE, other)))
    for pose in (POSE, other, POSE):
        empty_studio.shows(name, artist.pose(**pose))


def test_the_size_follows_the_canvas(empty_studio: Studio) -> None:
    name = empty_studio.add(size="canvas")
    until(lambda: empty_studio.item_size(name) == (480, 480))
    empty_studio.change(name, size="own", width=200, height=100)
    until(lambda: empty_studio.item_size(name) == (200, 100))


def test_several_sources_show_their_own(empty_studio: Studio, artist: Artist, tmp_path: Path) -> None:
    poses: list[dict[str, float]] = [POSE, {"head_x": 1.0}, {"mouth_ooo": 1.0}]
    names = []
    for i, pose in enumerate(poses):
        folder = tmp_path / str(i)
        folder.mkdir()
        names.append(empty_studio.add(driver="clip", clip=str(held(folder, pose))))
    for name, pose in zip(names, poses):
        empty_studio.shows(name, artist.pose(**pose))


def test_what_is_wrong_is_said_once_and_over_when_it_is_right(
    empty_studio: Studio, artist: Artist, clip: Path, character: Path
) -> None:
    name = empty_studio.add("Wrong", driver="clip", clip=str(clip), character="/nowhere/character.yaml")
    until(lambda: "Wrong: " in empty_studio.said())
    time.sleep(0.5)
    lines = [line for line in empty_studio.said().splitlines() if "Wrong: " in line]
    assert len(lines) == 1
    assert "/nowhere/character.yaml" in lines[0]
    assert lines[0].startswith("warning: ")
    empty_studio.change(name, character=str(character))
    empty_studio.shows(name, artist.pose(**POSE))
