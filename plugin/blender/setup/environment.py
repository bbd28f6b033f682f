# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's environment on a user's machine: what it is made from, the commands that make it, where it is.

Standard library only. Every environment stands in a folder of its own below one root; the file ``engine.json``
in the root names the one that is whole. So one that was interrupted is never mistaken for a good one, and
the one before stays in use until the next has passed its test.
"""

from __future__ import annotations

import ctypes
import json
import shutil
import sys
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Optional

SUPPORTED = ((3, 11), (3, 12), (3, 13), (3, 14))
"""The Pythons that the engine runs on."""
SPACE = {False: 2_000, True: 7_500}
"""Megabytes that must be free, without and with NVIDIA's libraries: packages, and room to unpack them."""
POINTER = "engine.json"
LOG = "install.log"

PROBE = (
    "import json, platform, struct, sys, sysconfig;"
    "print(json.dumps([list(sys.version_info[:2]), platform.python_implementation(),"
    " struct.calcsize('P') * 8, bool(sysconfig.get_config_var('Py_GIL_DISABLED'))]))"
)
SELF_TEST = (
    "import sys\n"
    "import keywarp.core.engine.__main__, keywarp.core.engine.server, keywarp.core.render.stage\n"
    "from keywarp.core.runtime.session import choose_device\n"
    "from keywarp.keyframes.errors import KeywarpError\n"
    "try:\n"
    "    print('device:', choose_device(sys.argv[1]))\n"
    "except KeywarpError as error:\n"
    "    sys.exit('ERROR: ' + str(error))\n"
)
"""Loads what a frame needs, and opens the device."""


class InstallError(Exception):
    """One sentence: what went wrong, and what would be right."""


@dataclass(frozen=True)
class Order:
    """What is to be installed, and from where."""

    root: Path
    python: Path
    """The Python that the environment is made with."""
    wheel: Path
    """keywarp's own."""
    device: str = "auto"
    """"auto", "cpu" or "cuda"; what the self-test must be able to open."""
    wheels_folder: Optional[Path] = None
    """Take the packages from here, and nothing from the network."""
    online: bool = True
    """Whether Blender may use the network."""

    @property
    def cuda(self) -> bool:
        """Whether NVIDIA's libraries belong to it."""
        return self.device == "cuda" or (self.device == "auto" and has_nvidia())


@dataclass(frozen=True)
class Installed:
    """The environment that is in use."""

    folder: str
    """Its name below the root."""
    version: str
    """keywarp's."""
    python: str
    """The version of its Python, as "3.11"."""
    cuda: bool
    """Whether NVIDIA's libraries are in it."""


def has_nvidia(platform: str = sys.platform) -> bool:
    """Whether an NVIDIA driver with at least one device answers."""
    count = ctypes.c_int(0)
    try:
        driver = ctypes.CDLL("nvcuda.dll" if platform == "win32" else "libcuda.so.1")
        return driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0
    except (OSError, AttributeError):
        return False


def python_of(folder: Path, platform: str = sys.platform) -> Path:
    """The Python of an environment."""
    return folder / ("Scripts/python.exe" if platform == "win32" else "bin/python")


def installed(root: Path) -> Optional[Installed]:
    """The environment that is in use; None where there is none, or its Python is gone."""
    try:
        found = Installed(**json.loads((root / POINTER).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    inside = Path(found.folder).name == found.folder
    # A link to a Blender that was removed or updated leads nowhere.
    return found if inside and python_of(root / found.folder).exists() else None


def engine_command(root: Path) -> Optional[list[str]]:
    """What starts the engine that is installed."""
    found = installed(root)
    if found is None:
        return None
    return [str(python_of(root / found.folder)), "-s", "-u", "-m", "keywarp.core.engine"]


def new_folder(root: Path) -> Path:
    """An empty folder for an environment that is about to be made; its name is short, for Windows has little room."""
    folder = root / f"v-{uuid.uuid4().hex[:4]}"
    folder.mkdir(parents=True)
    return folder


def put_in_use(root: Path, what: Installed) -> None:
    """Name an environment as the one in use, and delete all others."""
    temporary = root / f"{POINTER}.new"
    temporary.write_text(json.dumps(asdict(what)), encoding="utf-8")
    temporary.replace(root / POINTER)
    sweep(root)


def sweep(root: Path) -> None:
    """Delete the environments that are not in use; what another program holds open stays until the next time."""
    found = installed(root)
    for folder in root.glob("v-*"):
        if found is None or folder.name != found.folder:
            shutil.rmtree(folder, ignore_errors=True)


def remove(root: Path) -> None:
    """Delete every environment; the log stays."""
    (root / POINTER).unlink(missing_ok=True)
    sweep(root)


def bundled_wheel(extension: Path) -> Optional[Path]:
    """The wheel of keywarp in the extension's folder; None in a checkout of the sources."""
    return next(iter(sorted((extension / "wheels").glob("keywarp-*.whl"))), None)


def version_of(wheel: Path) -> str:
    """A wheel's version, which its name holds: with a mark of the sources that it was built of."""
    return wheel.name.split("-")[1]


def check_before(order: Order) -> None:
    """Raise for what can be known without trying: no way to the packages, or too little space."""
    if order.wheels_folder is not None:
        if not order.wheels_folder.is_dir():
            raise InstallError(
                f"there is no folder {order.wheels_folder}: name the folder that holds the packages' wheels, "
                "or leave the field empty to download them"
            )
        if not any(order.wheels_folder.glob("*.whl")):
            raise InstallError(
                f"{order.wheels_folder} holds no wheels (.whl files): name the folder that does"
            )
    elif not order.online:
        raise InstallError(
            "Blender may not use the network: switch on Allow Online Access in Preferences > System > Network, "
            "or name a folder of wheels"
        )
    order.root.mkdir(parents=True, exist_ok=True)
    check_space(shutil.disk_usage(order.root).free, order)


def check_space(free: int, order: Order) -> None:
    """Raise where ``free`` bytes are too few."""
    needed = SPACE[order.cuda]
    if free < needed * 1_000_000:
        raise InstallError(
            f"the disk of {order.root} has {free / 1e9:.1f} GB free and the engine needs {needed / 1e3:.1f} GB "
            "while it is installed: make room and try again"
        )


def check_python(order: Order, status: int, answer: str) -> tuple[int, int]:
    """The version that a Python gave to ``PROBE``; raises where the engine cannot run on it."""
    name = order.python
    try:
        (major, minor), implementation, bits, no_gil = json.loads(answer) if status == 0 else None
    except (ValueError, TypeError):
        raise InstallError(
            f"{name} does not start as a Python: name the program of Python 3.11 to 3.14 (python.exe on Windows)"
        ) from None
    if (major, minor) not in SUPPORTED:
        raise InstallError(f"{name} is Python {major}.{minor}: the engine needs 3.11, 3.12, 3.13 or 3.14")
    if implementation != "CPython" or bits != 64 or no_gil:
        raise InstallError(f"{name} is not the usual 64-bit CPython, for which alone there are packages")
    return major, minor


def probe_command(order: Order) -> list[str]:
    return [str(order.python), "-I", "-c", PROBE]


def venv_commands(order: Order, folder: Path) -> list[list[str]]:
    """Ways to make the environment, to be tried in order until one works.

    Some systems keep ``ensurepip`` in a package of its own, but have a pip that can fill another environment.
    """
    base = [str(order.python), "-I", "-m"]
    return [
        [*base, "venv", "--clear", str(folder)],
        [*base, "venv", "--clear", "--without-pip", str(folder)],
    ]


def borrowed_pip_command(order: Order, folder: Path) -> list[str]:
    """Install pip into an environment that has none: from its wheel, or with the pip of the Python below."""
    wheels = sorted(order.wheels_folder.glob("pip-*.whl")) if order.wheels_folder else []
    python = str(python_of(folder))
    if wheels:
        pip = [python, "-I", str(wheels[-1] / "pip"), "install"]
    else:
        pip = [str(order.python), "-I", "-m", "pip", "--python", python, "install"]
    return [*pip, *_source(order), "pip"]


def pip_command(order: Order, folder: Path) -> list[str]:
    """Install keywarp and what it needs, from pip's own configuration or from the folder of wheels."""
    extras = ["cuda"] if order.cuda else []
    if order.wheels_folder is None or any(order.wheels_folder.glob("sounddevice-*.whl")):
        extras.append("microphone")  # for *Record*; a folder of wheels serves without it
    named = f"{order.wheel}[{','.join(extras)}]" if extras else str(order.wheel)
    return [
        *(str(python_of(folder)), "-I", "-u", "-X", "utf8", "-m", "pip", "install"),
        *("--no-input", "--disable-pip-version-check", "--progress-bar", "off"),
        *("--only-binary", ":all:", *_source(order), named),
    ]


def _source(order: Order) -> list[str]:
    if order.wheels_folder is None:
        return []
    return ["--no-index", "--find-links", str(order.wheels_folder)]


def test_command(order: Order, folder: Path) -> list[str]:
    """Start the engine's Python, load what a frame needs and open the device."""
    return [str(python_of(folder)), "-I", "-c", SELF_TEST, order.device]


def clean_environment(base: dict[str, str], scratch: Optional[Path] = None) -> dict[str, str]:
    """A child's environment: nothing in it leads Python elsewhere; ``scratch`` takes its temporary files.

    pip's settings (its index, a proxy, certificates) stay in force.
    """
    leaks = {"PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_PYTHON", "PIP_REQUIREMENT", "PIP_CONSTRAINT"}
    kept = {
        name: value
        for name, value in base.items()
        if not name.startswith("PYTHON") and name not in leaks | {"VIRTUAL_ENV", "__PYVENV_LAUNCHER__"}
    }
    folders = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(scratch)) if scratch else {}
    settled = {"PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0"}
    return {**kept, **folders, **settled}
