# SPDX-License-Identifier: GPL-3.0-or-later
"""Characters from files: MikuMikuDance's by readers of our own, everything else by way of Blender."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from keywarp.core.runtime.cache import cached_folder, content_hash
from keywarp.core.studio.figure import Figure
from keywarp.core.studio.figure_file import read_figure
from keywarp.core.studio.pmd import read_pmd
from keywarp.core.studio.pmx import read_pmx
from keywarp.keyframes.errors import KeywarpError

OWN = (".pmx", ".pmd", ".npz")
BY_BLENDER = (".vrm", ".glb", ".gltf", ".blend")
KINDS = (*OWN, *BY_BLENDER)
MAX_BYTES = 1 << 30
_SECONDS = 600
_TOLD = 300
"""Characters of Blender's complaint that are passed on."""


def load_figure(path: Path, exporter: Sequence[str | Path] | None = None) -> Figure:
    """The character in a file.

    ``exporter``: the command that opens a file with Blender and writes a figure, to which both paths are added;
    without one, what only Blender opens is refused. Raises ``KeywarpError`` where the file cannot be used.
    """
    kind = path.suffix.lower()
    if kind not in KINDS:
        raise KeywarpError(f"{path}: 3D characters are read from {', '.join(KINDS)}")
    if not path.is_file():
        raise KeywarpError(f"{path} does not exist; a 3D character ({', '.join(KINDS)}) was expected there")
    if path.stat().st_size > MAX_BYTES:
        raise KeywarpError(f"{path}: the file is larger than {MAX_BYTES >> 30} GiB")
    if kind == ".npz":
        return read_figure(path)
    if kind in OWN:
        return (read_pmx if kind == ".pmx" else read_pmd)(path, path.read_bytes())
    if exporter is None:
        raise KeywarpError(f"{path}: {kind} files are opened by Blender; name one with --blender")
    return _by_blender(path, exporter)


def _by_blender(path: Path, exporter: Sequence[str | Path]) -> Figure:
    """The figure that Blender makes of the file, kept for the next time."""
    command = [str(part) for part in exporter]
    key = content_hash([path.read_bytes(), *(part.encode() for part in command)])

    def make(folder: Path) -> None:
        run_blender([*command, str(path.resolve()), str(folder / "figure.npz")], path)

    return read_figure(cached_folder(f"figure-{key}", make) / "figure.npz")


def run_blender(command: Sequence[str], path: Path) -> None:
    """Run a script in Blender, whose last argument is the file that it writes.

    ``path``: what it is given. Raises ``KeywarpError`` with Blender's own complaint where nothing was written.
    """
    with tempfile.TemporaryFile() as log:
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                timeout=_SECONDS,
                check=False,
                env={**os.environ, "PYTHONUTF8": "1"},
            )
        except OSError as error:
            raise KeywarpError(f"{command[0]} cannot be started ({error.strerror or error})") from None
        except subprocess.TimeoutExpired:
            raise KeywarpError(f"{path}: Blender took more than {_SECONDS} seconds to open it") from None
        log.seek(0)
        lines = [line for line in log.read().decode("utf-8", "replace").splitlines() if line.strip()]
    if done.returncode or not Path(command[-1]).is_file():
        said = lines[-1][-_TOLD:] if lines else f"it ended with status {done.returncode}"
        raise KeywarpError(f"{path}: Blender could not open it ({said})")
