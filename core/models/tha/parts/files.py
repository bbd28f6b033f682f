# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks that were trained here on disk: a folder like those of published weights, one file for each of the five,
to which runs of single networks add theirs."""

from __future__ import annotations

import io
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from keywarp.core.models.checkpoint import Array, read_checkpoint
from keywarp.core.models.published import nested
from keywarp.core.models.tha.parts.settings import EDITOR, Settings
from keywarp.core.models.tha.teacher_files import card_of
from keywarp.core.models.tha.teacher_layout import network_shapes
from keywarp.core.models.weights import fault_in
from keywarp.core.training.recipe import Recipe
from keywarp.keyframes.errors import KeywarpError


def network_files(weights: Mapping[str, Array]) -> dict[str, bytes]:
    """``NETWORK.pt`` as ``torch.save`` writes it, of weights by ``NETWORK.TENSOR``."""
    files = {}
    for network, state in nested(weights).items():
        content = io.BytesIO()
        torch.save(OrderedDict((k, torch.from_numpy(np.array(v))) for k, v in state.items()), content)
        files[f"{network}.pt"] = content.getvalue()
    return files


def networks_beside(recipe: Recipe, folder: Path) -> dict[str, bytes]:
    """The files of the form's other networks that the folder holds; raises ``KeywarpError`` where they do not fit to
    those of the recipe."""
    settings = Settings.of(recipe)
    found = {f"{network}.pt": folder / f"{network}.pt" for network in settings.form.networks}
    there = {name: path for name, path in found.items() if path.is_file()}
    card = card_of(folder)
    if there and (card is None or card.side != settings.form.side):
        size = "published" if card is None else f"for squares of {card.side} pixels"
        raise KeywarpError(
            f"{folder} holds networks that are {size}; the run's are for {settings.form.side}: give another folder"
        )
    for path in there.values():
        _read(path, settings)
    return {name: path.read_bytes() for name, path in there.items()}


def weights_to_begin_with(recipe: Recipe, folder: Path | None) -> dict[str, Array]:
    """By ``NETWORK.TENSOR``, what a folder of weights, published or trained, holds of the networks of a run.

    Raises ``KeywarpError`` where it holds none of them, or not the rotator on which the editor learns.
    """
    settings = Settings.of(recipe)
    paths = {} if folder is None else {name: folder / f"{name}.pt" for name in settings.networks}
    states = {name: _read(path, settings) for name, path in paths.items() if path.is_file()}
    if settings.part == EDITOR and settings.networks[0] not in states:
        needed = f"{settings.networks[0]}.pt"
        raise KeywarpError(
            f"the editor learns on the rotator's answers: name the folder that holds its {needed} by --start"
        )
    if folder is not None and not states:
        raise KeywarpError(f"{folder} holds no {settings.network}.pt to begin with")
    return {f"{name}.{key}": value for name, state in states.items() for key, value in state.items()}


def _read(path: Path, settings: Settings) -> dict[str, Array]:
    """A network's tensors by name; raises ``KeywarpError`` where they are not those of the settings' form."""
    state = {k: v for k, v in read_checkpoint(path).items() if isinstance(v, np.ndarray)}
    fault = fault_in(state, network_shapes(settings.form, path.stem))
    if fault:
        raise KeywarpError(
            f"{path} is no {path.stem} of {settings.form.name} with a width of {settings.form.width}: {fault}"
        )
    return state
