# SPDX-License-Identifier: GPL-3.0-or-later
"""The shape of the repository: who may import whom, what a package holds, how modules look."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import tomllib

from keywarp.core import engine

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("core", "keyframes", "plugin")
TOP_LEVEL = {
    *("pyproject.toml", "README.md", "plugin", "core", "keyframes", "tests", "install"),
    *("LICENSE", "CREDITS.md", "docs"),
}
BUILT = {"build", "dist", "out", "keywarp.egg-info"}
STANDARD = frozenset(sys.stdlib_module_names)
HOST_HALF = tuple(f"core/engine/{name}.py" for name in engine.HOST_HALF)
"""The part of the engine's folder that hosts load."""


def modules(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def place(path: Path) -> str:
    """A file's place in the repository, with slashes on every system."""
    return path.relative_to(ROOT).as_posix()


def dotted(path: Path) -> str:
    """The name under which a source file is imported."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(("keywarp", *parts[: -1 if parts[-1] == "__init__" else None]))


def absolute(node: ast.ImportFrom, path: Path) -> str:
    """The module that a ``from`` statement names."""
    if not node.level:
        return node.module or ""
    package = dotted(path).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    package = package[: len(package) - (node.level - 1)]
    return ".".join([*package, node.module] if node.module else package)


def imports(path: Path, text: str | None = None, inside: bool = True) -> Iterator[str]:
    """Every name that a file imports, absolute; without those in functions where ``inside`` is false."""
    queue: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8") if text is None else text)]
    while queue:
        node = queue.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = absolute(node, path)
            yield from (f"{module}.{alias.name}" for alias in node.names)
        if inside or not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            queue.extend(ast.iter_child_nodes(node))


def under(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(package + ".") for package in packages)


def allowed(path: Path) -> tuple[tuple[str, ...], bool]:
    """The packages beside the standard library's that a source file may import, and whether only those.

    Where other packages are free (``core``, the command line), what is listed binds only keywarp's own.
    """
    inside = place(path)
    if inside.startswith("keyframes/"):
        return ("numpy", "keywarp.keyframes"), True
    if inside in HOST_HALF:
        return tuple(dotted(ROOT / each) for each in HOST_HALF), True
    if inside.startswith("core/"):
        return ("keywarp.core", "keywarp.keyframes"), False
    if inside.startswith("plugin/blender/"):
        hosts = (
            "blf",
            "bpy",
            "bpy_extras",
            "bl_operators",
            "bl_ui",
            "gpu",
            "gpu_extras",
            "mathutils",
            "idprop",
        )
        return (
            *hosts,
            "numpy",
            "keywarp.keyframes",
            "keywarp.core.engine.client",
            "keywarp.plugin.blender",
        ), True
    if inside.startswith("plugin/obs/"):
        return ("obspython", "keywarp.core.engine.client", "keywarp.plugin.obs"), True
    return ("keywarp",), False


def faults(path: Path, text: str | None = None) -> list[str]:
    """The imports of a source file that go against the arrows."""
    packages, only = allowed(path)
    # Trackers load their protocol and sound libraries when they start.
    inside = not place(path).startswith("keyframes/live/")
    wrong = [
        name
        for name in imports(path, text, inside)
        if name.split(".")[0] not in STANDARD
        and not under(name, packages)
        and (only or under(name, ("keywarp",)))
    ]
    if not inside:
        wrong += [name for name in imports(path, text) if under(name, ("keywarp.core", "keywarp.plugin"))]
    return wrong


@pytest.mark.parametrize("path", modules(*SOURCES), ids=place)
def test_imports_follow_the_arrows(path: Path) -> None:
    assert faults(path) == []


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("keyframes/x.py", "import cv2"),
        ("keyframes/x.py", "def f():\n    from keywarp.core import motion"),
        ("keyframes/live/x.py", "import websockets"),
        ("keyframes/live/x.py", "def f():\n    import keywarp.core.motion"),
        ("core/x.py", "from keywarp.plugin import cli"),
        ("core/render/x.py", "from ...plugin import cli"),
        ("core/engine/client.py", "import numpy"),
        ("core/engine/client.py", "from keywarp.keyframes import channels"),
        ("plugin/blender/x.py", "from keywarp.core import motion"),
        ("plugin/blender/x.py", "import onnxruntime"),
        ("plugin/obs/x.py", "import numpy"),
    ],
)
def test_an_import_against_the_arrows_is_seen(file: str, text: str) -> None:
    assert len(faults(ROOT / file, text)) == 1


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("keyframes/x.py", "import json, numpy.typing\nfrom .errors import KeywarpError"),
        ("keyframes/live/x.py", "def f():\n    import websockets"),
        ("core/x.py", "import torch\nfrom keywarp.keyframes import channels\nfrom . import motion"),
        ("plugin/blender/x.py", "import bpy\nfrom keywarp.core.engine import client"),
        ("plugin/cli/x.py", "import typer\nfrom keywarp.core import motion"),
    ],
)
def test_an_import_along_the_arrows_is_none(file: str, text: str) -> None:
    assert faults(ROOT / file, text) == []


@pytest.mark.parametrize("path", modules("install"), ids=place)
def test_the_installer_imports_the_standard_library_only(path: Path) -> None:
    assert [name for name in imports(path) if name.split(".")[0] not in STANDARD | {"install"}] == []


def test_hosts_can_reach_the_client_without_numpy() -> None:
    """The packages around ``core.engine.client`` are imported with it, so they import nothing."""
    for package in ("core", "core/engine"):
        path = ROOT / package / "__init__.py"
        if path.exists():
            assert list(imports(path)) == []


def test_top_level_holds_only_the_agreed_names() -> None:
    names = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    assert names - BUILT - TOP_LEVEL == set()


def test_keywarp_is_a_namespace() -> None:
    assert not (ROOT / "__init__.py").exists()


@pytest.mark.parametrize("path", modules(*SOURCES, "install", "tests"), ids=place)
def test_module_looks_as_modules_do(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# SPDX-License-Identifier: GPL-3.0-or-later"
    assert len(lines) <= 500
    assert path.name == "__init__.py" or ast.get_docstring(ast.parse("\n".join(lines))), "a module docstring"


def test_every_test_has_its_place_in_the_sources() -> None:
    """tests/<area> mirrors the source folders, so that a name is a path."""
    areas = {path.relative_to(ROOT / "tests").parts[0] for path in (ROOT / "tests").rglob("test_*.py")}
    areas = {area for area in areas if not area.endswith(".py")}
    assert areas <= {*SOURCES, "install", *(path.name for path in (ROOT / "core").iterdir() if path.is_dir())}


HOSTS_LOAD = [path for path in modules("keyframes", "install", "tests/keyframes") if "live" not in path.parts]
HOSTS_LOAD += modules("plugin/obs")
HOSTS_LOAD += [ROOT / place for place in ("core/__init__.py", "core/engine/__init__.py", *HOST_HALF)]
LATER_ARGUMENTS = {"zip": {"strict"}, "dataclass": {"slots", "kw_only"}}


@pytest.mark.parametrize("path", HOSTS_LOAD, ids=place)
def test_what_hosts_load_is_written_in_their_python(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 9))
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        if isinstance(call.func, ast.Name):
            later = LATER_ARGUMENTS.get(call.func.id, set()) & {keyword.arg for keyword in call.keywords}
            assert not later, f"line {call.lineno}: Python 3.9 has no {later} for {call.func.id}"


def test_everyday_rendering_never_imports_torch() -> None:
    folders = ("core/render", "core/runtime", "core/reswarp", "core/engine", "keyframes")
    names = [dotted(path) for path in modules(*folders) if path.exists()]
    names += [dotted(path) for path in (ROOT / "core").glob("*.py")]
    assert names
    load = "import importlib, sys; [*map(importlib.import_module, sys.argv[1:])]"
    script = f"{load}; sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script, *names], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_package_list_is_complete() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"][
        "packages"
    ]
    there = {dotted(path) for path in modules(*SOURCES) if path.name == "__init__.py"}
    assert sorted(listed) == sorted(there)


def normal(name: str) -> str:
    """A distribution's name as registries compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_what_is_imported_is_asked_for() -> None:
    """Every package that is imported is a dependency of ours, not only one of a dependency's."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    asked = [*project["dependencies"], *extras["live"], *extras["torch"], *extras["train"]]
    declared = {normal(re.split(r"[^\w.-]", requirement)[0]) for requirement in asked}
    providers = importlib.metadata.packages_distributions()
    paths = [
        path for path in modules(*SOURCES) if not place(path).startswith(("plugin/blender/", "plugin/obs/"))
    ]
    names = {name.split(".")[0] for path in paths for name in imports(path)} - STANDARD - {"keywarp"}
    provided = {name: {normal(each) for each in providers.get(name, [name])} for name in names}
    assert {name: by for name, by in provided.items() if not by & declared} == {}


def test_every_folder_of_modules_is_a_package() -> None:
    folders = {path.parent for path in modules(*SOURCES)}
    assert [place(folder) for folder in folders if not (folder / "__init__.py").exists()] == []
