# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that the Blender extension is handed out as."""

from __future__ import annotations

import json
import re
import sys
import zipfile
from pathlib import Path

import pytest
import tomllib

from install import blender_package
from install.commands import blender as command
from install.console import SetupError

VERSION = tomllib.loads((blender_package.REPOSITORY / "pyproject.toml").read_text())["project"]["version"]


@pytest.fixture(scope="module")
def extension(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return blender_package.build_extension(Path(sys.executable), tmp_path_factory.mktemp("dist"))


def test_its_name_has_the_version(extension: Path) -> None:
    assert extension.name == f"keywarp-{VERSION}.zip"


def test_it_is_small(extension: Path) -> None:
    assert extension.stat().st_size <= 5 * 1024 * 1024


def test_its_manifest_names_the_version_and_the_wheel_that_it_holds(extension: Path) -> None:
    with zipfile.ZipFile(extension) as file:
        manifest = tomllib.loads(file.read("blender_manifest.toml").decode())
        names = file.namelist()
    assert manifest["version"] == VERSION
    (wheel,) = manifest["wheels"]
    assert re.fullmatch(rf"\./wheels/keywarp-{re.escape(VERSION)}\+b[0-9a-f]{{8}}-py3-none-any\.whl", wheel)
    assert [name for name in names if name.endswith(".whl")] == [manifest["wheels"][0][2:]]
    assert manifest["blender_version_min"] == "4.2.0"
    assert set(manifest["permissions"]) == {"files", "network"}
    assert all(len(reason) <= 64 and reason[-1].isalnum() for reason in manifest["permissions"].values())


def test_it_holds_the_add_on_and_its_licence(extension: Path) -> None:
    names = set(zipfile.ZipFile(extension).namelist())
    sources = {path.name for path in blender_package.EXTENSION.glob("*.py")}
    assert names >= sources | {"LICENSE", "CREDITS.md", "blender_manifest.toml"}
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]


def test_its_wheel_has_what_blender_imports_and_the_engine(extension: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(extension) as file:
        wheel = file.extract(next(name for name in file.namelist() if name.endswith(".whl")), tmp_path)
    names = set(zipfile.ZipFile(wheel).namelist())
    assert names >= {
        "keywarp/keyframes/clip.py",
        "keywarp/core/engine/client.py",
        "keywarp/core/engine/__main__.py",
    }
    assert "keywarp/__init__.py" not in names, "keywarp is a namespace"


def test_the_same_sources_give_the_same_bytes(extension: Path, tmp_path: Path) -> None:
    again = blender_package.build_extension(Path(sys.executable), tmp_path)
    assert again.read_bytes() == extension.read_bytes()


def test_blender_finds_nothing_wrong(extension: Path, blender_python: Path) -> None:
    assert blender_package.validate(extension, [blender_python]) == 0


def test_blender_would_see_what_is_wrong(extension: Path, blender_python: Path, tmp_path: Path) -> None:
    broken = tmp_path / extension.name
    with zipfile.ZipFile(extension) as old, zipfile.ZipFile(broken, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(
                name, data.replace(b'id = "keywarp"', b'id = "key-warp"') if "toml" in name else data
            )
    assert blender_package.validate(broken, [blender_python]) not in (0, None)


def test_without_blender_nothing_is_said_to_be_valid(extension: Path) -> None:
    assert blender_package.validate(extension, [Path(sys.executable)]) is None


def test_an_extension_that_has_grown_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blender_package, "LARGEST", 1000)
    with pytest.raises(SetupError, match=r"the extension has [\d,]+ bytes, and may have 1,000"):
        blender_package.build_extension(Path(sys.executable), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_manifest_without_its_place_for_the_version_is_refused() -> None:
    with pytest.raises(SetupError, match="one line `version"):
        blender_package.manifest('id = "keywarp"\n[permissions]\n', "1.0.0", "a.whl")


def test_models_that_ship_make_a_second_file(
    extension: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = tmp_path / "shipped"
    (shipped / "hero").mkdir(parents=True)
    (shipped / "hero" / "weights.onnx").write_bytes(b"weights")
    monkeypatch.setattr(blender_package, "MODELS", shipped)
    copy = tmp_path / extension.name
    copy.write_bytes(extension.read_bytes())
    pack = blender_package.build_models(copy)
    assert pack == tmp_path / f"keywarp-models-{VERSION}.zip"
    with zipfile.ZipFile(pack) as file:
        assert json.loads(file.read("keywarp-models.json")) == {"models": ["hero"]}
        assert file.read("hero/weights.onnx") == b"weights"


def test_without_models_there_is_no_second_file(
    extension: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blender_package, "MODELS", tmp_path / "none")
    assert blender_package.build_models(extension) is None


def test_blenders_of_the_tests_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYWARP_BLENDER_PYTHONS", "/a/python")
    assert command.blender_pythons()[0] == Path("/a/python")
    monkeypatch.setenv("KEYWARP_BLENDER_PYTHONS", "")
    assert all(re.search(r"\.venv-blender-", str(path)) for path in command.blender_pythons())
