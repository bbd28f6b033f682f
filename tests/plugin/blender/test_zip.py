# SPDX-License-Identifier: GPL-3.0-or-later
"""From an empty user folder to three frames of 4K: the extension's .zip, installed and used as a new user does."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from install import blender_package
from keywarp.core.opencv import cv2
from keywarp.keyframes.spaces.tha45 import SPACE

from .conftest import INSIDE

SIZE = "3840x2160"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return blender_package.build_extension(Path(sys.executable), tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def engines() -> list[Path]:
    """Folders with the engine that a Blender before has installed: an engine serves every Blender."""
    return []


def step(blender_python: Path, user: Path, cache: Path, *arguments: object, seconds: int = 600) -> str:
    """A step of ``from_zip.py`` in a process of its own, which sees nothing of the sources; its output."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "KEYWARP_"))}
    done = subprocess.run(
        [str(blender_python), "-I", str(INSIDE / "from_zip.py"), *map(str, arguments)],
        env={**kept, "BLENDER_USER_RESOURCES": str(user), "KEYWARP_CACHE": str(cache)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


def decibels(first: Path, second: Path) -> float:
    """Peak signal-to-noise ratio of two 8-bit RGBA files, colours weighted with their opacity."""
    pictures = []
    for path in (first, second):
        picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert picture is not None and picture.dtype == np.uint8 and picture.shape == (2160, 3840, 4)
        straight = picture.astype(np.float32)
        pictures.append(np.dstack([straight[..., :3] * straight[..., 3:] / 255.0, straight[..., 3]]))
    error = float(np.mean(np.square(pictures[0] - pictures[1])))
    return 10.0 * float(np.log10(255.0**2 / max(error, 1e-12)))


@pytest.mark.slow
def test_a_newer_build_of_the_same_version_takes_the_older_ones_place(
    blender_python: Path, archive: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = tmp_path / "sources"
    for name in blender_package.SOURCES:
        shutil.copytree(blender_package.REPOSITORY / name, sources / name)
    for name in blender_package._BESIDE:
        shutil.copy(blender_package.REPOSITORY / name, sources)
    (sources / "keyframes" / "__init__.py").write_text('"""Mended since."""\n', encoding="utf-8")
    monkeypatch.setattr(blender_package, "REPOSITORY", sources)
    newer = blender_package.build_extension(Path(sys.executable), tmp_path / "dist")
    assert newer.name == archive.name
    user = tmp_path / "user"
    user.mkdir()
    for build in (archive, newer):
        step(blender_python, user, cache, "install", build)
    assert "\nMended since.\n" in step(blender_python, user, cache, "library")


@pytest.mark.slow
@pytest.mark.shared
def test_a_new_user_renders_4k(
    blender_python: Path, archive: Path, cache: Path, engines: list[Path], tmp_path: Path, shared: Path
) -> None:
    character = shared / "reference" / "lambda_00" / "character_model.yaml"
    user, frames, file = tmp_path / "user", tmp_path / "frames", tmp_path / "scene.blend"
    user.mkdir()
    frames.mkdir()
    step(blender_python, user, cache, "install", archive)
    ours = user / "extensions" / ".user" / "user_default" / "keywarp" / "engine"
    if engines:
        ours.parent.mkdir(parents=True, exist_ok=True)
        ours.symlink_to(engines[0], target_is_directory=True)
    else:
        assert "Trying the engine" in step(blender_python, user, cache, "engine")
        engines.append(ours)
    step(blender_python, user, cache, "make", character, file)
    step(blender_python, user, cache, "render", file, frames)
    rendered = sorted(frames.glob("frame_*.png"))
    poses = json.loads((frames / "poses.json").read_text(encoding="utf-8"))
    assert [path.stem for path in rendered] == [f"frame_{name}" for name in poses] and len(poses) == 3
    table = tmp_path / "poses.npy"
    np.save(table, [[pose[channel.name] for channel in SPACE.channels] for pose in poses.values()])
    command = [sys.executable, "-m", "keywarp.plugin.cli", "pose", str(character), "--pose", str(table)]
    environment = {**os.environ, "KEYWARP_CACHE": str(cache)}
    out = tmp_path / "wanted_####.png"
    subprocess.run([*command, "--size", SIZE, "-o", str(out)], env=environment, check=True)
    for path, wanted in zip(rendered, sorted(tmp_path.glob("wanted_*.png")), strict=True):
        assert decibels(path, wanted) >= 45.0
    for first, second in itertools.combinations(rendered, 2):
        assert decibels(first, second) < 45.0
