# SPDX-License-Identifier: GPL-3.0-or-later
"""A character in a real OBS through a stream's life: trackers, scenes, the engine's death, reloads, and OBS's end."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from obs_program import KIND, SCENE, Obs, Screen, until
from obs_studio import Artist, Studio, held, likeness
from obs_tracker import free_udp_port, tracking

pytestmark = [pytest.mark.shared, pytest.mark.slow]

POSE = {"head_y": 0.6, "mouth_aaa": 0.8}
EXACT = 55.0
"""Decibels that tell a mouth from another, which is a small part of the picture."""
EXIT_SECONDS = 5.0


def test_a_tracker_moves_it(empty_studio: Studio, artist: Artist) -> None:
    port = free_udp_port()
    name = empty_studio.add(driver="vmc", address=str(port))
    with tracking(port) as tracker:
        for value in (0.0, 1.0, 0.0):
            tracker.show(Blink_L=value, Blink_R=value, A=0.0, I=0.0, U=0.0, E=0.0, O=0.0)
            pose = {"eye_wink_left": value, "eye_wink_right": value, "mouth_aaa": 0.0}
            empty_studio.shows(name, artist.pose(**pose), EXACT)


def test_a_neutral_face_is_taken_by_the_button_and_outlives_a_reload(
    empty_studio: Studio, artist: Artist, tmp_path: Path
) -> None:
    """While a tracker moves the eyes and a clip the mouth."""
    port, mouth = free_udp_port(), {"mouth_ooo": 0.8, "mouth_aaa": 0.0}
    clip = str(held(tmp_path, mouth))
    name = empty_studio.add(driver="vmc", address=str(port), mouth="clip", clip=clip)
    with tracking(port) as tracker:
        tracker.show(Blink_L=0.5, A=1.0)
        empty_studio.shows(name, artist.pose(eye_wink_left=0.5, **mouth), EXACT)
        empty_studio.remote.ask("PressInputPropertiesButton", inputName=name, propertyName="calibrate")
        empty_studio.shows(name, artist.pose(**mouth), EXACT)
        empty_studio.reload()
        tracker.show(Blink_L=0.75, A=1.0)
        empty_studio.shows(name, artist.pose(eye_wink_left=0.5, **mouth), EXACT)


def test_what_is_hidden_is_not_drawn(empty_studio: Studio) -> None:
    name = empty_studio.add(idle=True)
    remote = empty_studio.remote
    first = until(lambda: empty_studio.look(name))
    until(lambda: likeness(empty_studio.look(name), first) < 60)
    number = remote.ask("GetSceneItemId", sceneName=SCENE, sourceName=name)["sceneItemId"]
    enabled = {"sceneName": SCENE, "sceneItemId": number}
    remote.ask("SetSceneItemEnabled", **enabled, sceneItemEnabled=False)
    (engine,) = empty_studio.engines()
    until(lambda: spent(engine, 1.0) < 0.02)
    remote.ask("SetSceneItemEnabled", **enabled, sceneItemEnabled=True)
    shown = until(lambda: empty_studio.look(name))
    until(lambda: likeness(empty_studio.look(name), shown) < 60)


def spent(pid: int, seconds: float) -> float:
    """Share of a processor that a process takes over some time."""

    def ticks() -> int:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    before, start = ticks(), time.monotonic()
    time.sleep(seconds)
    return (ticks() - before) / os.sysconf("SC_CLK_TCK") / (time.monotonic() - start)


def test_the_last_frame_stays_when_the_engine_dies_and_another_goes_on(
    empty_studio: Studio, artist: Artist, tmp_path: Path
) -> None:
    name = empty_studio.add(driver="clip", clip=str(held(tmp_path, POSE)))
    before = empty_studio.shows(name, artist.pose(**POSE))
    (engine,) = empty_studio.engines()
    os.kill(engine, signal.SIGKILL)
    until(lambda: engine not in empty_studio.engines())
    seen = empty_studio.look(name)
    assert seen is not None
    assert np.array_equal(seen, before)
    other = {"head_x": 0.8}
    empty_studio.change(name, clip=str(held(tmp_path, other)), height=401)
    empty_studio.change(name, height=400)
    empty_studio.shows(name, artist.pose(**other))
    assert empty_studio.engines() != [engine]
    assert "defect" not in empty_studio.said()


def test_scenes_can_be_switched_all_the_time(
    empty_studio: Studio, artist: Artist, tmp_path: Path, full: bool
) -> None:
    remote = empty_studio.remote
    remote.ask("CreateScene", sceneName="Other")
    folders = [tmp_path / "here", tmp_path / "there"]
    for folder in folders:
        folder.mkdir()
    here = empty_studio.add(driver="clip", clip=str(held(folders[0], POSE)))
    there = empty_studio.add(scene="Other", driver="clip", clip=str(held(folders[1], {"head_x": 0.8})))
    for number in range(50 if full else 10):
        scene = "Other" if number % 2 == 0 else SCENE
        remote.ask("SetCurrentProgramScene", sceneName=scene)
        time.sleep(0.05)
    remote.ask("SetCurrentProgramScene", sceneName="Other")
    until(lambda: empty_studio.item_size(there, "Other") == (400, 400))
    until(lambda: likeness(remote.screenshot(there), artist.pose(head_x=0.8)) >= 40)
    remote.ask("SetCurrentProgramScene", sceneName=SCENE)
    empty_studio.shows(here, artist.pose(**POSE))
    remote.ask("RemoveScene", sceneName="Other")


def test_the_script_can_be_reloaded(empty_studio: Studio, artist: Artist, tmp_path: Path, full: bool) -> None:
    name = empty_studio.add(driver="clip", clip=str(held(tmp_path, POSE)))
    empty_studio.shows(name, artist.pose(**POSE))
    empty_studio.reload(20 if full else 3)
    fresh = empty_studio.add(driver="clip", clip=str(held(tmp_path, POSE)))
    for each in (name, fresh):
        empty_studio.shows(each, artist.pose(**POSE))
    empty_studio.change(name, height=399)
    until(lambda: empty_studio.item_size(name) == (400, 399))
    until(lambda: len(empty_studio.engines()) == 1)
    assert "Traceback" not in empty_studio.obs.log()


def test_a_saved_scene_comes_back_and_obs_ends_at_once(
    home: Path, script: Path, screen: Screen, cache: Path, artist: Artist, character: Path, tmp_path: Path
) -> None:
    """OBS loads the script itself, before the scenes that need it, and ends while everything runs."""
    place = home / "saved"
    place.mkdir()
    place.chmod(0o700)
    obs = Obs(place, screen, [script], {"KEYWARP_CACHE": os.environ["KEYWARP_CACHE"]})
    clip = held(tmp_path, POSE)
    settings = {
        "character": str(character),
        "driver": "clip",
        "clip": str(clip),
        "size": "own",
        "idle": False,
    }
    obs.add_saved("Saved", KIND, {**settings, "width": 400, "height": 400})
    remote = obs.start()
    studio = Studio(obs, remote, character, place)
    studio.shows("Saved", artist.pose(**POSE))
    studio.add(idle=True)
    engines = studio.engines()
    status, seconds = obs.stop(remote)
    assert status == 0
    assert seconds <= EXIT_SECONDS
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in engines))
    assert "Traceback" not in obs.log()
