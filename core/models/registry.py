# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding models: by path, or by name in the folders where models live."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import keywarp.core.models as families_package
from keywarp.core.models.base import DrivenSource, Family, ModelSource
from keywarp.core.models.checkpoint import SUFFIXES
from keywarp.core.models.exported import odd_card
from keywarp.core.runtime.cache import data_folder
from keywarp.keyframes.errors import KeywarpError

SHIPPED = Path(__file__).parent / "shipped"
"""What comes with keywarp: a folder for each model, and the demo character, which has its model in it."""
ANIMATOR, DEMO = "animator", "demo"
"""Their names: the model that animates any picture, and the character."""


@cache
def families() -> tuple[Family, ...]:
    """Every family: the folders beside this file that define ``FAMILY``."""
    found = []
    for module in iter_modules(families_package.__path__):
        if module.ispkg:
            found.append(import_module(f"{families_package.__name__}.{module.name}").FAMILY)
    return tuple(found)


def model_folders() -> list[Path]:
    """Where models are looked for by name: the product's own, ``$KEYWARP_MODELS``, the user's data folder."""
    listed = os.environ.get("KEYWARP_MODELS", "")
    return [
        SHIPPED,
        *(Path(part) for part in listed.split(os.pathsep) if part),
        data_folder() / "models",
    ]


def find_model(reference: str | Path, beside: Path | None = None) -> ModelSource:
    """The model at a path (relative to ``beside`` where given) or with a name.

    Raises ``KeywarpError`` where there is none, or where no family knows what is there.
    """
    paths = [Path(reference)]
    if beside is not None:
        paths.insert(0, beside / reference)
    if len(Path(reference).parts) == 1:
        paths += [folder / reference for folder in model_folders()]
    for path in paths:
        if path.exists():
            return model_at(path)
    raise KeywarpError(
        f"there is no model {str(reference)!r}: give a folder or file of weights, or one of the names that "
        "`keywarp models` lists"
    )


def default_model() -> str:
    """The name of the model that animates a picture for which none is named: the one that comes with keywarp, else
    the first that is installed and animates any picture by poses. Raises ``KeywarpError`` where there is none."""
    if any((folder / ANIMATOR).exists() for folder in model_folders()):
        return ANIMATOR
    for name, _, model in installed_models():
        if not isinstance(model, (KeywarpError, DrivenSource)) and model.info.picture is None:
            return name
    raise KeywarpError(
        f"there is no model {ANIMATOR!r}, which comes with keywarp and animates pictures that name no other: put it "
        f"into {data_folder() / 'models'}, or name a model with --model"
    )


def model_at(path: Path) -> ModelSource:
    """The model in this folder or file; raises ``KeywarpError`` where there is none."""
    found = _recognised(path) or _only_checkpoint(path)
    if found is None:
        known = [family.name for family in families()]
        odd = odd_card(path if path.is_dir() else path.parent, known)
        because = "" if odd is None else f"; {odd}"
        raise KeywarpError(
            f"{path} holds no weights that keywarp knows (families: {', '.join(known)}){because}"
        )
    return found


def _only_checkpoint(folder: Path) -> ModelSource | None:
    """What the one checkpoint in a folder is, whatever it is called."""
    if not folder.is_dir():
        return None
    files = [file for file in folder.iterdir() if file.name.endswith(SUFFIXES) and file.is_file()]
    return _recognised(files[0]) if len(files) == 1 else None


def _recognised(path: Path) -> ModelSource | None:
    """The model there, ``None`` where it is something else; raises ``KeywarpError`` where it is a damaged one, or
    cannot be looked into."""
    if os.path.lexists(path) and not (path.is_dir() or path.is_file()):  # reading a pipe would wait for ever
        raise KeywarpError(f"{path} is neither a folder nor a file of weights")
    try:
        return next(filter(None, (family.find(path) for family in families())), None)
    except OSError as error:
        raise KeywarpError(f"{path} cannot be read: {error.strerror or error}") from None


def installed_models() -> Iterator[tuple[str, Path, ModelSource | KeywarpError]]:
    """(name, path, model or what is wrong with it) for every model in the folders of models."""
    for folder in model_folders():
        if not folder.is_dir():
            continue
        for path in sorted(folder.iterdir()):
            if path.name.startswith((".", "__")):
                continue
            try:
                found = _recognised(path)
            except KeywarpError as error:
                yield path.name, path, error
            else:
                if found is not None:
                    yield path.name, path, found
