# SPDX-License-Identifier: GPL-3.0-or-later
"""``keywarp check``: what is wrong with a file, and what to do about it.

Status 0 also where there is something to say: a file that can be used is no error. 2 where it cannot be used.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keywarp.plugin.cli import arguments as args
from keywarp.plugin.cli.characters import known_character
from keywarp.plugin.cli.kinds import Kind, kind_of
from keywarp.plugin.cli.terminal import say

if TYPE_CHECKING:
    from keywarp.core.check import Finding
    from keywarp.keyframes.clip import Clip


def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A picture, a character, weights or a clip.")],
    model: args.ModelOption = None,
) -> None:
    """Say what is wrong with a file, and what to do about it."""
    kind = kind_of(file)
    if kind is Kind.CLIP:
        _clip(file)
    elif kind is Kind.MODEL:
        from keywarp.core.models.registry import find_model

        found = find_model(file).info
        say(f"{file}: in order, a {found.form} with {found.parameters:,} parameters")
    elif kind is Kind.PICTURE and model is None:
        from keywarp.core.check import check_picture
        from keywarp.core.picture import read_picture

        picture = read_picture(file)
        _report(file, picture.warnings, check_picture(picture))
    else:
        _character(file, model)


def _report(file: Path, warnings: tuple[str, ...], findings: list[Finding]) -> None:
    for warning in warnings:
        say(f"warning: {warning}")
    for finding in findings:
        say(f"{finding.severity}: {finding.what}")
        say(f"    {finding.remedy}")
    if not (warnings or findings):
        say(f"{file}: in order")


def _character(file: Path, model: str | None) -> None:
    from keywarp.core.check import Finding, check_picture
    from keywarp.core.head import HeadBox
    from keywarp.core.picture import read_picture
    from keywarp.core.render.performer import foreign, load_artwork

    who, found = known_character(file, model)
    picture = read_picture(who.picture)
    art = load_artwork(who, found)  # registers the HD picture and reads the mask
    head = None if who.head is None else HeadBox(*who.head)
    findings = check_picture(
        picture, head, art.framing, found.head, found.side, who.model_named, who.hd_picture
    )
    other = foreign(who, art, found)
    if other is not None:
        findings = [
            Finding("error", other, "choose a model for any picture, or one made for this one"),
            *findings,
        ]
    _report(file, picture.warnings, findings)


def _clip(file: Path) -> None:
    from keywarp.keyframes.importers import load
    from keywarp.keyframes.mappings.losses import losses, moving
    from keywarp.keyframes.spaces import tha45
    from keywarp.plugin.cli.clips import summary

    imported = load(file)
    clip = imported.clip
    remarks = [*imported.notes, *losses(clip, tha45.SPACE.name), *_out_of_range(clip)]
    for remark in remarks:
        say(f"note: {remark}")
    if not moving(clip):
        say("warning: nothing moves in it")
        say("    a face is needed to be seen: choose a motion with morphs or head movement")
    say(f"{file}: can be used, {summary(clip)}")


def _out_of_range(clip: Clip) -> list[str]:
    """Channels whose keys leave the range that will be shown."""
    beyond = []
    for channel in clip.pose_space.channels:
        if channel.name in clip.curves:
            values = clip.curves[channel.name].columns.value
            if values.min() < channel.minimum - 1e-6 or values.max() > channel.maximum + 1e-6:
                beyond.append(channel.name)
    return [f"keys beyond the range, which will be held to it: {', '.join(beyond)}"] if beyond else []
