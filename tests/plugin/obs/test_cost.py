# SPDX-License-Identifier: GPL-3.0-or-later
"""What a character costs OBS's render thread.

OBS draws in one thread, and in these tests that thread does all of the drawing itself (Mesa's software renderer
without helpers), so that the time which the kernel says it has spent is all that a frame costs, whatever else the
machine does. Characters take turns with nothing, with a still picture and with a video in OBS's own media source, all
of one size.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from obs_program import SCENE, Obs, Screen, until
from obs_studio import SIDE, Artist, Studio
from PIL import Image

pytestmark = [pytest.mark.shared, pytest.mark.slow, pytest.mark.full]

RATE = 30
ROUNDS, SECONDS, SETTLING = 7, 3.0, 1.0
STEADY = "a frame for each of OBS's"
ALLOWED = 1.0
"""Milliseconds a frame."""


@pytest.fixture(scope="module")
def studio(
    home: Path, script: Path, screen: Screen, cache: Path, character: Path, artist: Artist
) -> Iterator[Studio]:
    place = home / "thread"
    place.mkdir()
    place.chmod(0o700)
    (place / "count.txt").write_text("0", encoding="ascii")
    frames = shutil.copy(Path(__file__).with_name("steady_frames.py"), place)
    (place / "installed.txt").write_text(str(script.parent), encoding="utf-8")
    environment = {"KEYWARP_CACHE": os.environ["KEYWARP_CACHE"], "LP_NUM_THREADS": "0"}
    obs = Obs(place, screen, [script, Path(frames)], environment, rate=RATE)
    studio = Studio(obs, obs.start(), character, place)
    yield studio
    assert obs.stop(studio.remote)[0] == 0


def video(path: Path) -> Path:
    """Two seconds whose every pixel changes with every frame, in the pixels that keywarp hands over."""
    rng = np.random.default_rng(1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=Fraction(RATE), width=SIDE, height=SIDE, pix_fmt="bgra")
        for _ in range(2 * RATE):
            colour = rng.integers(0, 256, 4, np.uint8)
            colour[3] = 255
            picture = np.broadcast_to(colour, (SIDE, SIDE, 4))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture.copy(), format="bgra")))
        container.mux(stream.encode(None))
    return path


class Meter:
    """Reads how long the render thread has worked."""

    def __init__(self, studio: Studio) -> None:
        self._remote, self._count = studio.remote, studio.folder / "count.txt"
        tasks = Path(f"/proc/{studio.obs.pid}/task").iterdir()
        (self._thread,) = [
            task for task in tasks if (task / "comm").read_text().startswith("libobs: graphic")
        ]

    def _read(self) -> tuple[int, int, int]:
        """Nanoseconds of work, frames drawn, and frames handed over by the steady source."""
        stats = self._remote.ask(
            "GetStats"
        )  # whose total counts the frames for which there was no time as well
        drawn = int(stats["renderTotalFrames"]) - int(stats["renderSkippedFrames"])
        worked = int((self._thread / "schedstat").read_text().split()[0])
        given = int(
            until(lambda: self._count.read_text(encoding="ascii") or None)
        )  # it is just being written
        return worked, drawn, given

    def frame(self) -> tuple[float, float]:
        """Of a frame that OBS draws, over a while: the milliseconds, and how many new ones the steady source gave."""
        time.sleep(SETTLING)
        worked, drawn, given = self._read()
        time.sleep(SECONDS)
        then, after, last = self._read()
        return (then - worked) / 1e6 / (after - drawn), (last - given) / (after - drawn)


class Scene:
    """Sources of which one at a time is shown."""

    def __init__(self, studio: Studio) -> None:
        self._remote = studio.remote
        self._items: dict[str, int] = {}

    def put(self, kind: str, name: str, **settings: object) -> None:
        made = self._remote.ask(
            "CreateInput",
            sceneName=SCENE,
            inputName=name,
            inputKind=kind,
            inputSettings=settings,
            sceneItemEnabled=False,
        )
        self._items[name] = made["sceneItemId"]

    def take(self, name: str) -> None:
        """One that is there already."""
        self._items[name] = self._remote.ask("GetSceneItemId", sceneName=SCENE, sourceName=name)[
            "sceneItemId"
        ]

    def is_filled(self) -> bool:
        """Whether something is to be seen where the sources are."""
        seen = self._remote.screenshot(SCENE)[SIDE // 4 : 3 * SIDE // 4, SIDE // 4 : 3 * SIDE // 4, :3]
        return bool(seen.any())

    def show(self, name: str) -> None:
        for each, number in self._items.items():
            self._remote.ask(
                "SetSceneItemEnabled", sceneName=SCENE, sceneItemId=number, sceneItemEnabled=each == name
            )


def test_a_character_costs_obs_hardly_more_than_other_sources(
    empty_studio: Studio, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene, meter = Scene(empty_studio), Meter(empty_studio)
    still = tmp_path / "still.png"
    Image.fromarray(np.full((SIDE, SIDE, 4), (90, 120, 200, 255), np.uint8)).save(still)
    scene.put("image_source", "a still picture", file=str(still))
    clip = {"local_file": str(video(tmp_path / "video.mkv")), "looping": True, "close_when_inactive": True}
    scene.put("ffmpeg_source", "a video", **clip)
    scene.put("keywarp_test_frames", STEADY)
    name = empty_studio.add("a character in motion", idle=True)
    scene.take(name)
    sources = ["nothing", "a still picture", "a video", STEADY, name]
    for source in sources:
        scene.show(source)
        until(lambda source=source: scene.is_filled() == (source != "nothing"))
    taken: dict[str, list[tuple[float, float]]] = {source: [] for source in sources}
    for number in range(ROUNDS):
        for source in sources[number % len(sources) :] + sources[: number % len(sources)]:
            scene.show(source)
            taken[source].append(meter.frame())
    costs = {source: statistics.median(cost for cost, _ in each) for source, each in taken.items()}
    given = statistics.median(each for _, each in taken[STEADY])
    with capsys.disabled():
        sys.stdout.write("\nOBS's render thread, milliseconds a frame: ")
        sys.stdout.write(", ".join(f"{source} {cost:.2f}" for source, cost in costs.items()))
        sys.stdout.write(f"; {given:.2f} new frames for each of OBS's\n")
    assert given > 0.3
    # This renderer takes milliseconds to draw any picture of this size. What draws the character works beside it, on
    # the same processors, as a video's decoder does.
    assert costs[STEADY] - costs["a still picture"] <= ALLOWED
    assert costs[STEADY] <= costs["a video"]
    assert costs[name] - costs["a video"] <= ALLOWED
