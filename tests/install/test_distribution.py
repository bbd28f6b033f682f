# SPDX-License-Identifier: GPL-3.0-or-later
"""What a wheel of keywarp holds and asks for."""

from __future__ import annotations

import email.parser
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.markers import Marker, default_environment
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("core", "keyframes", "plugin")
SHIPPED = ("core/models/shipped/stand_in/motion.onnx", "core/models/shipped/stand_in/logs/face.csv")
"""Stand in for models that ship, of any kind of file."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built from a copy of the sources."""
    copy, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for folder in SOURCES:
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "CREDITS.md"):
        shutil.copy(ROOT / name, copy / name)
    for name in SHIPPED:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes(b"weights")
    build = "import sys, setuptools.build_meta as backend; backend.build_wheel(sys.argv[1])"
    command = [sys.executable, "-c", build, str(target)]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return zipfile.ZipFile(next(target.glob("*.whl")))


def test_it_holds_every_source_file(wheel: zipfile.ZipFile) -> None:
    there = {name for name in wheel.namelist() if ".dist-info/" not in name}
    files = (path for folder in SOURCES for path in (ROOT / folder).rglob("*") if path.is_file())
    wanted = {
        "keywarp/" + path.relative_to(ROOT).as_posix() for path in files if "__pycache__" not in path.parts
    }
    assert there == wanted | {f"keywarp/{name}" for name in SHIPPED}
    assert {f"keywarp/{folder}/py.typed" for folder in SOURCES} <= there


def requirements(wheel: zipfile.ZipFile, extra: str, machine: tuple[str, str]) -> set[str]:
    """The names that pip would install on a machine."""
    name = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    metadata = email.parser.Parser().parsestr(wheel.read(name).decode())
    environment = {**default_environment(), "sys_platform": machine[0], "platform_machine": machine[1]}
    needed = map(Requirement, metadata.get_all("Requires-Dist") or [])
    return {
        each.name.lower()
        for each in needed
        if Marker(str(each.marker or "python_version > '3'")).evaluate({**environment, "extra": extra})
    }


@pytest.mark.parametrize(
    ("machine", "runtime"),
    [
        (("linux", "x86_64"), "onnxruntime-gpu"),
        (("win32", "AMD64"), "onnxruntime-gpu"),
        (("darwin", "arm64"), "onnxruntime"),
        (("darwin", "x86_64"), "onnxruntime"),
        (("linux", "aarch64"), "onnxruntime"),
        (("win32", "ARM64"), "onnxruntime"),
    ],
)
@pytest.mark.parametrize("extra", ["", "cuda"])
def test_there_is_one_onnx_runtime(
    wheel: zipfile.ZipFile, machine: tuple[str, str], runtime: str, extra: str
) -> None:
    names = requirements(wheel, extra, machine)
    assert names & {"onnxruntime", "onnxruntime-gpu"} == {runtime}


def test_torch_is_an_extra(wheel: zipfile.ZipFile) -> None:
    assert "torch" not in requirements(wheel, "", ("linux", "x86_64"))
    assert "torch" in requirements(wheel, "torch", ("linux", "x86_64"))


def test_it_carries_the_licence_and_the_credits(wheel: zipfile.ZipFile) -> None:
    names = {Path(name).name for name in wheel.namelist() if ".dist-info/licenses/" in name}
    assert names == {"LICENSE", "CREDITS.md"}


def test_it_has_the_command(wheel: zipfile.ZipFile) -> None:
    name = next(name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    assert "keywarp = keywarp.plugin.cli:main" in wheel.read(name).decode()
