# SPDX-License-Identifier: GPL-3.0-or-later
"""A character and its model, looked at before anything is computed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from keywarp.keyframes.errors import KeywarpError
from keywarp.plugin.cli.terminal import notes

if TYPE_CHECKING:
    from keywarp.core.character import Character
    from keywarp.core.models.base import ModelInfo


def known_character(reference: str | Path, model: str | None) -> tuple[Character, ModelInfo]:
    """The character and what its model is; raises ``KeywarpError`` where one of them cannot be used."""
    from keywarp.core.character import load_character
    from keywarp.keyframes.spaces import space

    who = load_character(reference, model)
    info = who.find_model().info
    try:
        for name in who.defaults:
            space(info.space).index(name)
    except KeywarpError as error:
        raise KeywarpError(f"{reference}: in its defaults, {error}") from None
    notes(f"{reference}: {remark}" for remark in who.remarks)
    return who, info
