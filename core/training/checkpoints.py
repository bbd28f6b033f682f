# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a run stands, on disk: whole or not there, and nothing in it is executed when it is read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keywarp.keyframes.errors import KeywarpError, installing

if TYPE_CHECKING:
    from torch import Tensor

KEPT = 2
"""Checkpoints that stay; older ones go."""
PROGRESS_FILE = "progress.json"
PARTS = ("weights", "average", "optimizers")


def write_checkpoint(
    folder: Path, step: int, progress: Mapping[str, Any], parts: Mapping[str, Mapping[str, Tensor]]
) -> Path:
    """``FOLDER/step-00000123`` with a safetensors file for each part; older ones beyond ``KEPT`` are removed."""
    from safetensors.torch import save_file

    final = folder / f"step-{step:08d}"
    unfinished = folder / f".unfinished-{step:08d}"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    for name, tensors in parts.items():
        plain = {key: value.detach().cpu().contiguous().clone() for key, value in tensors.items()}
        save_file(plain, str(unfinished / f"{name}.safetensors"))
    (unfinished / PROGRESS_FILE).write_text(json.dumps(dict(progress), indent=1), encoding="utf-8")
    shutil.rmtree(final, ignore_errors=True)
    unfinished.rename(final)
    for old in checkpoints(folder)[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return final


def checkpoints(folder: Path) -> list[Path]:
    """The whole checkpoints of a folder, oldest first."""
    return sorted(path for path in folder.glob("step-*") if (path / PROGRESS_FILE).is_file())


def newest_checkpoint(run: Path) -> Path:
    """The last checkpoint of a run; raises ``KeywarpError`` where there is none."""
    found = checkpoints(run / "checkpoints")
    if not found:
        raise KeywarpError(
            f"{run} holds no checkpoint; a folder that `keywarp train` has written was expected"
        )
    return found[-1]


def read_progress(checkpoint: Path) -> dict[str, Any]:
    try:
        content = json.loads((checkpoint / PROGRESS_FILE).read_text(encoding="utf-8"))
        return {"step": int(content["step"]), "examples": int(content["examples"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise KeywarpError(f"{checkpoint / PROGRESS_FILE} is damaged ({error})") from None


def read_part(checkpoint: Path, part: str) -> dict[str, Tensor]:
    """The tensors of a part by name; raises ``KeywarpError`` where the file is missing or damaged."""
    return dict(_opened(checkpoint / f"{part}.safetensors", "torch"))


def read_arrays(checkpoint: Path, part: str) -> dict[str, Any]:
    """The same as numpy arrays, without PyTorch."""
    return dict(_opened(checkpoint / f"{part}.safetensors", "numpy"))


def _opened(path: Path, kind: str) -> Mapping[str, Any]:
    try:
        if kind == "torch":
            from safetensors.torch import load_file as load_tensors

            return load_tensors(str(path))
        from safetensors.numpy import load_file as load_arrays

        return load_arrays(str(path))
    except ImportError:
        raise KeywarpError(f"this needs the package safetensors: {installing('train')} brings it") from None
    except FileNotFoundError:
        raise KeywarpError(f"{path} is missing from the checkpoint") from None
    except Exception as error:  # what is no safetensors file fails in several ways
        raise KeywarpError(f"{path} is no whole safetensors file ({str(error).splitlines()[0]})") from None


def fit(state: Mapping[str, Tensor], expected: Mapping[str, Tensor], where: Path) -> None:
    """Raise ``KeywarpError`` where names and shapes are not those that are expected."""
    missing = [name for name in expected if name not in state]
    extra = [name for name in state if name not in expected]
    if missing or extra:
        raise KeywarpError(
            f"{where} belongs to another network: {len(missing)} tensors are missing"
            f"{f' (first {missing[0]})' if missing else ''}, {len(extra)} are too many"
            f"{f' (first {extra[0]})' if extra else ''}"
        )
    for name, tensor in expected.items():
        if state[name].shape != tensor.shape:
            raise KeywarpError(
                f"{where} belongs to another network: {name} is {tuple(state[name].shape)} "
                f"instead of {tuple(tensor.shape)}"
            )
