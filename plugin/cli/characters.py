# SPDX-License-Identifier: GPL-3.0-or-later
"""A character and its model, looked at before anything is computed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from keywarp.keyframes.errors import KeywarpError
from keywarp.plugin.cli.terminal import notes

if TYPE_CHECKING:
    from keywarp.core.character import Character
    from keywarp.core.driving import Mode
    from keywarp.core.models.base import ModelInfo


def known_character(
    reference: str | Path,
    model: str | None,
    video: Path | None = None,
    mode: Mode | None = None,
    best_frame: bool = False,
) -> tuple[Character, ModelInfo]:
    """The character and what its model is; raises ``KeywarpError`` where one of them cannot be used.

    A driving ``video``, its ``mode`` and ``best_frame`` take the place of the character's own.
    """
    from keywarp.core.character import load_character
    from keywarp.keyframes.spaces import space

    who = load_character(reference, model)
    if video is not None or mode is not None or best_frame:
        who = _driven(who, video, mode, best_frame)
    info = who.find_model().info
    try:
        for name in who.defaults:
            space(info.space).index(name)
    except KeywarpError as error:
        raise KeywarpError(f"{reference}: in its defaults, {error}") from None
    notes(f"{reference}: {remark}" for remark in who.remarks)
    return who, info


def _driven(who: Character, video: Path | None, mode: Mode | None, best_frame: bool) -> Character:
    if video is not None:
        who = who.following(video)
    own = who.driving
    if own is None:
        raise KeywarpError("--driving-mode and --best-frame are for a driving video; name one with --driving")
    return replace(who, driving=replace(own, mode=mode or own.mode, best_frame=best_frame or own.best_frame))
