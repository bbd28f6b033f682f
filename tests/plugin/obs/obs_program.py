# SPDX-License-Identifier: GPL-3.0-or-later
"""A real OBS on a virtual screen, with a configuration of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from obs_remote import Remote

PROGRAMS = ("obs", "Xvfb")
KIND = "keywarp_character"
SCENE = "Scene"
PATIENCE = 300.0
"""Seconds for what takes moments on an idle machine: tests share theirs with others."""
REMOTE_SECONDS = 1.0
"""Between a remote's leaving and OBS's end; with less OBS itself crashes, without any script."""
LEFT = "WebSocketServer::onClose"
"""What OBS writes when a remote has left."""


def missing() -> list[str]:
    """The programs that are not here."""
    return [name for name in PROGRAMS if shutil.which(name) is None]


def until(true: Callable[[], Any], seconds: float = PATIENCE, every: float = 0.05) -> Any:
    """What ``true`` gives as soon as it is something; fails where it never is."""
    end = time.monotonic() + seconds
    while True:
        found = true()
        if found is not None and found is not False:
            return found
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(every)


def waited(pid: int) -> float:
    """Seconds in which a process's main thread was ready and another had the processor; 0 where that is not told."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


class Screen:
    """A virtual screen."""

    def __init__(self, size: tuple[int, int] = (1280, 800)) -> None:
        reading, writing = os.pipe()
        what = ["-screen", "0", f"{size[0]}x{size[1]}x24", "-nolisten", "tcp", "-displayfd", str(writing)]
        self._process = subprocess.Popen(
            ["Xvfb", *what], pass_fds=[writing], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(writing)
        with os.fdopen(reading) as answer:
            self.name = f":{answer.readline().strip()}"

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(10)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Obs:
    """One OBS; its configuration outlives it, so that it can be started again."""

    def __init__(
        self,
        home: Path,
        screen: Screen,
        scripts: Sequence[Path],
        environment: dict[str, str | None],
        size: tuple[int, int] = (640, 480),
        rate: int = 30,
    ) -> None:
        self._home, self._screen, self._environment = home, screen, environment
        self.port = free_port()
        self.output = home / "output.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._configure(scripts, size, rate)

    def _configure(self, scripts: Sequence[Path], size: tuple[int, int], rate: int) -> None:
        config = self._home / ".config" / "obs-studio"
        profile = config / "basic" / "profiles" / "Untitled"
        scenes = config / "basic" / "scenes"
        websocket = config / "plugin_config" / "obs-websocket"
        for folder in (profile, scenes, websocket):
            folder.mkdir(parents=True, exist_ok=True)
        names = (
            "Profile=Untitled\nProfileDir=Untitled\nSceneCollection=Untitled\nSceneCollectionFile=Untitled\n"
        )
        general = "[General]\nFirstRun=true\nEnableAutoUpdates=false\nLastVersion=536870912\n"
        server = f"ServerEnabled=true\nServerPort={self.port}\nAuthRequired=false\nFirstLoad=false\n"
        for name in ("global.ini", "user.ini"):  # which of them is read depends on the version
            (config / name).write_text(f"{general}\n[Basic]\n{names}\n[OBSWebSocket]\n{server}")
        (websocket / "config.json").write_text(
            json.dumps(
                {
                    "server_enabled": True,
                    "server_port": self.port,
                    "auth_required": False,
                    "first_load": False,
                }
            )
        )
        sides = "".join(f"{kind}CX={size[0]}\n{kind}CY={size[1]}\n" for kind in ("Base", "Output"))
        video = f"{sides}FPSType=1\nFPSInt={rate}\n"
        (profile / "basic.ini").write_text(f"[General]\nName=Untitled\n\n[Video]\n{video}")
        modules = {"scripts-tool": [{"path": str(path), "settings": {}} for path in scripts]}
        scene = {"id": "scene", "name": SCENE, "settings": {"items": [], "id_counter": 0}}
        self._collection_file = scenes / "Untitled.json"
        self._collection: dict[str, Any] = {
            "name": "Untitled",
            "modules": modules,
            "sources": [scene],
            "scene_order": [{"name": SCENE}],
            "current_scene": SCENE,
            "current_program_scene": SCENE,
        }
        self._collection_file.write_text(json.dumps(self._collection))

    def add_saved(self, name: str, kind: str, settings: dict[str, Any]) -> None:
        """A source in the scene, as OBS saves it; before the start."""
        scene = self._collection["sources"][0]
        scene["settings"]["items"].append(
            {"name": name, "id": 1, "visible": True, "scale": {"x": 1.0, "y": 1.0}}
        )
        self._collection["sources"].append({"id": kind, "name": name, "settings": settings, "enabled": True})
        self._collection_file.write_text(json.dumps(self._collection))

    def start(self) -> Remote:
        """Start it; a connection when it is ready."""
        environment: dict[str, str] = {
            **os.environ,
            "LIBGL_ALWAYS_SOFTWARE": "1",
            "DISPLAY": self._screen.name,
        }
        for name in ("WAYLAND_DISPLAY", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "PYTHONPATH", "VIRTUAL_ENV"):
            environment.pop(name, None)
        environment.update(HOME=str(self._home), XDG_RUNTIME_DIR=str(self._home), QT_QPA_PLATFORM="xcb")
        for name, value in self._environment.items():
            environment.pop(name, None)
            if value is not None:
                environment[name] = value
        command = [
            "obs",
            "--multi",
            "--minimize-to-tray",
            "--disable-updater",
            "--disable-missing-files-check",
        ]
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        return until(self._connection, PATIENCE)  # type: ignore[no-any-return]

    def _connection(self) -> Remote | None:
        assert self._process is not None
        assert self._process.poll() is None, self.output.read_text(errors="replace")[-2000:]
        try:
            remote = Remote(self.port)
        except (OSError, AssertionError):
            return None
        if not remote.try_to("GetSceneList")["requestStatus"]["result"]:  # it is still loading
            remote.close()
            return None
        return remote

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self, remote: Remote, seconds: float = PATIENCE) -> tuple[int, float]:
        """Have it end by itself; its exit status, and how long that took, without the time in which it could go on
        and others had the processors."""
        assert self._process is not None
        left = self.log().count(LEFT)
        remote.close()
        until(lambda: self.log().count(LEFT) > left)
        time.sleep(REMOTE_SECONDS)
        start, before = time.monotonic(), waited(self.pid)
        lost = before
        self._process.send_signal(signal.SIGINT)
        while self._process.poll() is None and time.monotonic() < start + seconds:
            lost = max(lost, waited(self.pid))
            time.sleep(0.01)
        took = time.monotonic() - start
        status = self._process.poll()
        if status is None:
            self._process.kill()
            self._process.wait()
            status = -9
        return status, took - (lost - before)

    def log(self) -> str:
        """Everything that it has said, scripts included."""
        return self.output.read_text(errors="replace")
