# SPDX-License-Identifier: GPL-3.0-or-later
"""How late a tracker's face is seen.

Measured in OBS's recording of its picture: beside the character stands a field of one colour, which changes in the
moment in which the tracker's face does. The frames between both changes are the latency.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
from obs_program import SCENE, Obs, Screen, until
from obs_remote import Remote
from obs_studio import SIDE, Artist, Studio, packed
from obs_tracker import free_udp_port, tracking

pytestmark = [pytest.mark.shared, pytest.mark.slow, pytest.mark.full]

RATE = 30
CHANGES = 14
COLOURS = ((0, 0, 0), (255, 255, 255))
FACES = ({"Blink_L": 0.0, "Blink_R": 0.0, "A": 0.0}, {"Blink_L": 1.0, "Blink_R": 1.0, "A": 1.0})
POSES: tuple[dict[str, float], ...] = ({}, {"eye_wink_left": 1.0, "eye_wink_right": 1.0, "mouth_aaa": 1.0})


@pytest.fixture(scope="module")
def studio(home: Path, script: Path, screen: Screen, cache: Path, character: Path) -> Iterator[Studio]:
    """An OBS of its own, which records."""
    place = home / "cost"
    place.mkdir()
    place.chmod(0o700)
    obs = Obs(place, screen, [script], {"KEYWARP_CACHE": os.environ["KEYWARP_CACHE"]}, rate=RATE)
    profile = place / ".config" / "obs-studio" / "basic" / "profiles" / "Untitled" / "basic.ini"
    simple = f"FilePath={place}\nRecFormat=mkv\nRecFormat2=mkv\nRecQuality=Stream\nStreamEncoder=x264\n"
    output = f"[Output]\nMode=Simple\n\n[SimpleOutput]\n{simple}VBitrate=4000\nPreset=ultrafast\n"
    profile.write_text(f"{profile.read_text()}\n{output}")
    studio = Studio(obs, obs.start(), character, place)
    yield studio
    assert obs.stop(studio.remote)[0] == 0


def put_marker(remote: Remote) -> None:
    settings = {"color": packed(COLOURS[0]), "width": 200, "height": SIDE}
    made = remote.ask(
        "CreateInput",
        sceneName=SCENE,
        inputName="Marker",
        inputKind="color_source_v3",
        inputSettings=settings,
    )
    place = {"positionX": SIDE + 20, "positionY": 0}
    remote.ask(
        "SetSceneItemTransform", sceneName=SCENE, sceneItemId=made["sceneItemId"], sceneItemTransform=place
    )


def recorded(path: Path) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """By frame: the marker's brightness, (N,), and the character, (N, SIDE, SIDE), both in [0, 255]."""
    marker, character = [], []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            grey = frame.to_ndarray(format="gray").astype(np.float64)
            marker.append(float(grey[20 : SIDE - 20, SIDE + 60 : SIDE + 180].mean()))
            character.append(grey[:SIDE, :SIDE])
    return np.array(marker), np.array(character)


def latencies(path: Path) -> list[int]:
    """Frames from each change of the marker to the first that shows the whole change of the face."""
    marker, character = recorded(path)
    bright = marker > 127
    changes = np.flatnonzero(bright[1:] != bright[:-1]) + 1
    assert len(changes) == CHANGES
    found = []
    for change, following in zip(changes, [*changes[1:], len(marker)], strict=True):
        before, after = (
            character[change - 3 : change].mean(0),
            character[following - 6 : following - 2].mean(0),
        )
        moved = np.abs(after - before) > 40
        assert moved.sum() > 100, "the face did not change"
        share = [
            float(np.mean(np.abs(frame - before)[moved] > np.abs(frame - after)[moved]))
            for frame in character[change:following]
        ]
        found.append(next(i for i, each in enumerate(share) if each > 0.9))
    return found


def seconds(artist: Artist, pose: dict[str, float]) -> float:
    """What the model and ResWarp take for a pose, beside OBS."""
    start = time.monotonic()
    artist.pose(**pose)
    return time.monotonic() - start


def test_a_face_is_seen_within_a_model_time_and_two_frames(
    empty_studio: Studio, artist: Artist, capsys: pytest.CaptureFixture[str]
) -> None:
    remote, port = empty_studio.remote, free_udp_port()
    name = empty_studio.add(driver="vmc", address=str(port))
    put_marker(remote)
    with tracking(port) as tracker:
        for face, pose in zip(FACES, POSES, strict=True):
            tracker.show(**face)
            empty_studio.shows(name, artist.pose(**pose))
        remote.ask("StartRecord")
        time.sleep(2)
        models = []
        for number in range(CHANGES):
            tracker.show(**FACES[number % 2])
            colour = packed(COLOURS[1 - number % 2])
            remote.ask("SetInputSettings", inputName="Marker", inputSettings={"color": colour})
            time.sleep(1.8 + number % 7 / 100)  # at every phase of OBS's clock
            models.append(seconds(artist, POSES[number % 2]))  # while the engine rests
    model = statistics.median(models)
    path = Path(remote.ask("StopRecord")["outputPath"])
    until(lambda: not remote.ask("GetRecordStatus")["outputActive"])
    found = latencies(path)
    with capsys.disabled():
        sys.stdout.write(
            f"\nfrom a tracker's packet to OBS's frame: {statistics.median(found):g} frames at {RATE} a second "
            f"(most: {max(found)}), one pose takes {1000 * model:.0f} ms\n"
        )
    assert statistics.median(found) / RATE <= model + 2 / RATE
