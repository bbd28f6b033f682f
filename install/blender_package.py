# SPDX-License-Identifier: GPL-3.0-or-later
"""Packing the Blender extension: keywarp's wheel, the extension's .zip, and the .zip of models that ship.

The same sources give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Optional, Union

from install import manual as manual_pages
from install.console import REPOSITORY, SetupError, capture, run
from install.environments import SOURCES

EXTENSION = REPOSITORY / "plugin" / "blender"
MODELS = REPOSITORY / "core" / "models" / "shipped"
"""Where models that ship lie, a folder each."""
MANUAL = REPOSITORY / "docs" / "blender.md"
LARGEST = 5 * 1024 * 1024
"""Bytes that the extension may have."""
_MANIFEST = "blender_manifest.toml"
_BESIDE = ("pyproject.toml", "README.md", "LICENSE", "CREDITS.md")
_EPOCH = "315532800"
"""The date of everything in the files, 1 January 1980: the earliest that a .zip can state."""

Content = Union[Path, str, bytes]


def build_wheel(python: Path, target: Path) -> Path:
    """keywarp's own wheel, built by an environment's setuptools from a copy of the sources.

    A copy, since a build in place would pick up files that an earlier build has left behind. The version says of
    which sources it is (``0.1.0+b1f0e2d3c``): Blender takes a wheel for installed that has the version of one before.
    """
    with tempfile.TemporaryDirectory() as folder:
        for name in SOURCES:
            unwanted = shutil.ignore_patterns("__pycache__", "shipped")
            shutil.copytree(REPOSITORY / name, Path(folder, name), ignore=unwanted)
        for name in _BESIDE:
            shutil.copy(REPOSITORY / name, folder)
        for path in Path(folder).rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)  # a wheel keeps it, and checkouts differ
        _mark_version(Path(folder))
        command = [python, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
        if run([*command, "--wheel-dir", target, folder], {"SOURCE_DATE_EPOCH": _EPOCH}) != 0:
            raise SetupError("pip could not build keywarp's wheel; it says why above.")
    return next(iter(target.glob("keywarp-*.whl")))


def _mark_version(folder: Path) -> None:
    """Add a mark of all files in a folder of sources to the version that its pyproject.toml gives."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder).as_posix()} {len(content)} ".encode() + content)
    project = folder / "pyproject.toml"
    text = project.read_text(encoding="utf-8")
    marked = rf'\g<1>+b{digest.hexdigest()[:8]}"'
    text, versions = re.subn(r'^(version = "[^"+]+)"$', marked, text, flags=re.MULTILINE)
    if versions != 1:
        raise SetupError('pyproject.toml needs one line `version = "..."`.')
    project.write_text(text, encoding="utf-8")


def version_of(wheel: Path) -> str:
    """keywarp's version as pyproject.toml gives it, which a wheel's name begins with."""
    return wheel.name.split("-")[1].partition("+")[0]


def manifest(text: str, version: str, wheel: str) -> str:
    """The extension's manifest with the version, and with the wheel that Blender unpacks."""
    text, versions = re.subn(r'^version = ".*"$', f'version = "{version}"', text, flags=re.MULTILINE)
    wheels = f'wheels = ["./wheels/{wheel}"]\n\n[permissions]'
    text, sections = re.subn(r"^\[permissions\]$", wheels, text, flags=re.MULTILINE)
    if versions != 1 or sections != 1:
        raise SetupError(f"{_MANIFEST} needs one line `version = ...` and one section [permissions].")
    return re.sub(r"\A(#.*\n)+", "", text)


def extension_files(wheel: Path) -> Iterator[tuple[str, Content]]:
    """What the extension's .zip holds: (name, content)."""
    for path in sorted(EXTENSION.rglob("*")):
        inside = path.relative_to(EXTENSION)
        if path.is_file() and not any(part.startswith((".", "__pycache__")) for part in inside.parts):
            text = path.read_text(encoding="utf-8") if path.name == _MANIFEST else ""
            yield inside.as_posix(), manifest(text, version_of(wheel), wheel.name) if text else path
    for name in ("LICENSE", "CREDITS.md"):
        yield name, REPOSITORY / name
    text = MANUAL.read_text(encoding="utf-8")
    for name, page in manual_pages.pages(text).items():
        yield f"manual_pages/{name}", page
    for name in manual_pages.pictures(text):
        yield f"manual_pages/{name}", MANUAL.parent / name
    yield f"wheels/{wheel.name}", wheel


def model_files(names: Iterable[str]) -> Iterator[tuple[str, Content]]:
    """What the .zip of models holds."""
    names = list(names)
    yield "keywarp-models.json", json.dumps({"models": names}, indent=1)
    for name in names:
        for path in sorted((MODELS / name).rglob("*")):
            if path.is_file():
                yield path.relative_to(MODELS).as_posix(), path


def shipped_models() -> list[str]:
    """The models that ship, by name."""
    return sorted(path.name for path in MODELS.iterdir() if path.is_dir()) if MODELS.is_dir() else []


def write_zip(target: Path, files: Iterable[tuple[str, Content]]) -> Path:
    """Write a .zip whose bytes depend on the files only; it takes its name when it is whole."""
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
            for name, content in sorted(files, key=lambda each: each[0]):
                entry = zipfile.ZipInfo(name)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.create_system = 3  # whatever the system, so that it is the same file
                entry.external_attr = 0o644 << 16
                data = content.read_bytes() if isinstance(content, Path) else content
                file.writestr(entry, data, compresslevel=9)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
    return target


def build_extension(python: Path, target: Path) -> Path:
    """keywarp-VERSION.zip in the folder ``target``."""
    with tempfile.TemporaryDirectory() as folder:
        wheel = build_wheel(python, Path(folder))
        built = write_zip(target / f"keywarp-{version_of(wheel)}.zip", extension_files(wheel))
    if built.stat().st_size > LARGEST:
        size = built.stat().st_size
        built.unlink()
        raise SetupError(
            f"the extension has {size:,} bytes, and may have {LARGEST:,}: see what has come into it."
        )
    return built


def build_models(extension: Path) -> Optional[Path]:
    """keywarp-models-VERSION.zip beside the extension; None while no models ship."""
    names = shipped_models()
    version = extension.stem.split("-", 1)[1]
    return (
        write_zip(extension.with_name(f"keywarp-models-{version}.zip"), model_files(names)) if names else None
    )


def blender_tool(blender_python: Path) -> Optional[Path]:
    """Blender's own program for extensions, in an environment that has Blender as a package."""
    where = "import importlib.util as u; print(u.find_spec('bpy').submodule_search_locations[0])"
    answer = capture([blender_python, "-c", where])
    if answer.returncode != 0:
        return None
    pattern = "*/scripts/addons_core/bl_pkg/cli/blender_ext.py"
    return next(iter(Path(answer.stdout.strip()).glob(pattern)), None)


def validate(extension: Path, blender_pythons: Iterable[Path]) -> Optional[int]:
    """The exit status of Blender's own check; None where no environment has Blender."""
    for python in blender_pythons:
        tool = blender_tool(python)
        if tool is not None:
            return run([python, tool, "validate", extension])
    return None
