# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests do in a running OBS, and how they draw and compare pictures without it."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from obs_program import KIND, PATIENCE, SCENE, Obs, until
from obs_remote import Remote

from keywarp.core.character import load_character
from keywarp.core.render.stage import Stage
from keywarp.keyframes.spaces import space

NOT_FOUND = 600
"""obs-websocket's word for a source that there is not."""
SIDE = 400
"""Width and height of the frames that most tests look at."""
BACK = (0x40, 0x80, 0xC0)
"""Red, green and blue of what lies behind the character."""

Bytes = npt.NDArray[np.uint8]


class Artist:
    """Draws poses of the character without OBS and without an engine, as ``keywarp pose`` does."""

    def __init__(self, character: Path) -> None:
        self._stage = Stage(load_character(str(character)), size=(SIDE, SIDE), device="cpu")

    def pose(self, **values: float) -> Bytes:
        """(SIDE, SIDE, 4) 8-bit sRGB, straight alpha."""
        pose = np.asarray(space("tha45").pose(values))
        return self._stage.frame_srgb8(pose).copy()


class Studio:
    """A running OBS, and what tests do in it."""

    def __init__(self, obs: Obs, remote: Remote, character: Path, folder: Path) -> None:
        self.obs, self.remote, self.character, self.folder = obs, remote, character, folder
        self.reloads = 0
        self._count = 0

    def add(self, name: str = "", scene: str = SCENE, **settings: Any) -> str:
        """A new source; its name."""
        self._count += 1
        name = name or f"Character {self._count}"
        chosen = {
            "character": str(self.character),
            "size": "own",
            "width": SIDE,
            "height": SIDE,
            "idle": False,
        }
        chosen["smoothing"] = 0.0
        self.remote.ask(
            "CreateInput",
            sceneName=scene,
            inputName=name,
            inputKind=KIND,
            inputSettings={**chosen, **settings},
        )
        return name

    def change(self, name: str, **settings: Any) -> None:
        self.remote.ask("SetInputSettings", inputName=name, inputSettings=settings)

    def remove(self, name: str) -> None:
        self.remote.ask("RemoveInput", inputName=name)

    def look(self, name: str) -> Bytes | None:
        """The source as OBS has it; ``None`` where it shows nothing."""
        size = self.item_size(name)
        if size[0] < 8:
            return None
        return self.remote.screenshot(name)

    def item_size(self, name: str, scene: str = SCENE) -> tuple[int, int]:
        for item in self.remote.ask("GetSceneItemList", sceneName=scene)["sceneItems"]:
            if item["sourceName"] == name:
                place = item["sceneItemTransform"]
                return int(place["sourceWidth"]), int(place["sourceHeight"])
        raise AssertionError(f"{name} is not in {scene}")

    def shows(self, name: str, expected: Bytes, decibels: float = 40.0, seconds: float = PATIENCE) -> Bytes:
        """Wait until the source looks like this; what it looked like then."""
        best = [-1.0]

        def alike() -> Bytes | None:
            seen = self.look(name)
            if seen is None or seen.shape != expected.shape:
                return None
            best[0] = max(best[0], likeness(seen, expected))
            return seen if likeness(seen, expected) >= decibels else None

        try:
            found: Bytes = until(alike, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}: at best {best[0]:.1f} dB\n{self.said()[-3000:]}") from None
        return found

    def said(self) -> str:
        """What keywarp's script has said in OBS's log."""
        return "\n".join(line for line in self.obs.log().splitlines() if "Keywarp: " in line)

    def reload(self, times: int = 1) -> None:
        """Reload the script, as the button in Tools > Scripts does."""
        done = self.folder / "done.txt"
        for _ in range(times):
            self.reloads += 1
            (self.folder / "orders.txt").write_text(str(self.reloads), encoding="ascii")
            until(lambda: done.is_file() and done.read_text() == str(self.reloads))

    def engines(self) -> list[int]:
        """The processes of engines that this OBS has started."""
        return [pid for pid in children(self.obs.pid) if "keywarp.core.engine" in command_line(pid)]

    def put_behind(self, scene: str = SCENE) -> None:
        """A colour behind everything."""
        self._count += 1
        number = self.remote.ask(
            "CreateInput",
            sceneName=scene,
            inputName=f"Back {self._count}",
            inputKind="color_source_v3",
            inputSettings={"color": packed(BACK), "width": 640, "height": 480},
        )["sceneItemId"]
        self.remote.ask("SetSceneItemIndex", sceneName=scene, sceneItemId=number, sceneItemIndex=0)

    def clear(self) -> None:
        """Remove all sources. Those of a scene that was removed go a little later than it, and by themselves."""
        for found in self.remote.ask("GetInputList")["inputs"]:
            status = self.remote.try_to("RemoveInput", inputName=found["inputName"])["requestStatus"]
            assert status["result"] or status["code"] == NOT_FOUND, status


def packed(colour: tuple[int, int, int]) -> int:
    """An opaque colour as OBS keeps it."""
    red, green, blue = colour
    return 0xFF << 24 | blue << 16 | green << 8 | red


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def children(pid: int) -> list[int]:
    """The processes that a process has started, and theirs."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):  # a thread may have ended meanwhile
            for child in task.read_text().split():
                found += [int(child), *children(int(child))]
    return found


def held(folder: Path, *poses: dict[str, float], seconds: float = 0.6) -> Path:
    """A clip that holds each of these poses for so long."""
    names = {name for pose in poses for name in pose}
    frames = int(seconds * 60)
    curves = {
        name: {
            "interpolation": "CONSTANT",
            "points": [[i * frames, p.get(name, 0.0)] for i, p in enumerate(poses)],
        }
        for name in names
    }
    last = len(poses) * frames - 1
    clip = {"keywarp_clip": 1, "space": "tha45", "fps": 60, "start": 0, "end": last, "curves": curves}
    path = folder / "held.json"
    path.write_text(json.dumps(clip), encoding="utf-8")
    return path


def linear(encoded: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """8-bit sRGB to linear light, by the standard's formula."""
    value = encoded.astype(np.float64) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def encoded(light: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Linear light to 8-bit sRGB levels, not rounded."""
    power = 1.055 * np.maximum(light, 0.0031308) ** (1 / 2.4) - 0.055
    return np.asarray(np.where(light <= 0.0031308, light * 12.92, power) * 255)


def over(picture: Bytes, colour: tuple[int, int, int]) -> npt.NDArray[np.float64]:
    """A picture with straight alpha composited over a colour in linear light: (H, W, 3), 8-bit sRGB levels."""
    alpha = picture[..., 3:].astype(np.float64) / 255
    return encoded(linear(picture[..., :3]) * alpha + linear(np.array(colour)) * (1 - alpha))


def likeness(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> float:
    """Decibels of two pictures' peak signal-to-noise ratio; with alpha, of their composites and of alpha itself."""
    if a.shape[-1] == 4:
        pairs = [(over(a, colour), over(b, colour)) for colour in ((0, 0, 0), (255, 255, 255))]
        return min(likeness(*pair) for pair in (*pairs, (a[..., 3:], b[..., 3:])))
    error = float(np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2))
    return 99.0 if error == 0 else 10 * float(np.log10(255**2 / error))
