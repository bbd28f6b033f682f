# SPDX-License-Identifier: GPL-3.0-or-later
"""``keywarp info``: what a character, a picture, weights or a clip are."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from keywarp.keyframes.errors import KeywarpError
from keywarp.plugin.cli import arguments as args
from keywarp.plugin.cli.characters import known_character
from keywarp.plugin.cli.kinds import Kind, kind_of
from keywarp.plugin.cli.terminal import columns, notes, say

if TYPE_CHECKING:
    from keywarp.core.models.base import ModelInfo
    from keywarp.core.picture import PictureFile
    from keywarp.keyframes.clip import Clip

#: A fact's name and its text; texts that are empty are left out.
Facts = list[tuple[str, str]]


def info(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A character, a picture, weights or a clip.")],
    model: args.ModelOption = None,
) -> None:
    """Show what a file is: size, true detail, channels, licence."""
    kind = kind_of(file)
    if kind is Kind.CLIP:
        _clip(file)
    elif kind is Kind.MODEL:
        from keywarp.core.models.registry import find_model

        found = find_model(file).info
        _show([("model", str(file)), *_model_facts(found)])
        _channels(found.space)
    elif kind is Kind.PICTURE and model is None:
        from keywarp.core.picture import read_picture

        picture = read_picture(file)
        notes(picture.warnings)
        facts = [
            *_picture_facts(picture),
            _detail(picture.width, picture.height),
            ("animated by", _animator()),
        ]
        _show([("picture", str(file)), *facts])
    else:
        _character(file, model)


def _show(facts: Iterable[tuple[str, str]]) -> None:
    columns([(name, text) for name, text in facts if text])


def _character(file: Path, model: Optional[str]) -> None:
    from keywarp.core.picture import read_picture
    from keywarp.core.render.performer import load_artwork

    who, found = known_character(file, model)
    picture = read_picture(who.picture)
    art = load_artwork(who, found)
    side = art.canvas_framing.side
    height, width = art.canvas.shape[:2]
    head = "" if who.head is None else ",".join(f"{value:g}" for value in who.head)
    _show(
        [
            ("character", who.name),
            ("picture", str(who.picture)),
            *_picture_facts(picture),
            ("HD picture", str(who.hd_picture or "")),
            _detail(width, height),
            ("model's square", f"{side:.0f} pixels of it wide, drawn at {found.side}x{found.side}"),
            ("head", head),
            ("move mask", str(who.move_mask or "")),
            ("defaults", ", ".join(f"{name} {value:g}" for name, value in who.defaults.items())),
            ("licence", who.licence or "not stated"),
            ("credit", who.credit),
            ("model", str(who.model)),
            *_model_facts(found),
        ]
    )
    notes(picture.warnings)
    _channels(found.space)


def _picture_facts(picture: PictureFile) -> Facts:
    transparency = "with transparency" if picture.has_alpha else "opaque, no transparency"
    form = f"{picture.format}, {picture.width}x{picture.height} pixels, {picture.bits} bit, {transparency}"
    return [("format", form), ("colours", picture.colour)]


def _detail(width: int, height: int) -> tuple[str, str]:
    return "true detail", f"{width}x{height} pixels; larger frames show no more"


def _animator() -> str:
    """The model that animates a picture for which none is named; empty where there is none."""
    from keywarp.core.models.registry import default_model, find_model

    try:
        name = default_model()
    except KeywarpError:
        return ""
    found = find_model(name).info
    return f"{name} ({found.form}), unless --model names another"


def _model_facts(model: ModelInfo) -> Facts:
    animates = "one picture, its own" if model.picture is not None else "the picture that it is given"
    return [
        ("network", f"{model.form} (family {model.family}), {model.parameters:,} parameters"),
        ("square", f"{model.side}x{model.side} pixels"),
        ("animates", animates),
        ("weights", f"{model.source}, content {model.content}"),
        ("weights' licence", model.licence or "not stated"),
        ("weights' credit", model.credit),
    ]


def _channels(space_name: str) -> None:
    from keywarp.keyframes.spaces import space

    poses = space(space_name)
    say()
    say(f"pose space {poses.name}: {poses.description}; {len(poses)} channels")
    columns(
        [
            (channel.group, channel.name, f"{channel.minimum:g} to {channel.maximum:g}", channel.description)
            for channel in poses.channels
        ],
        indent="  ",
    )


def _clip(file: Path) -> None:
    from keywarp.core.picture import PICTURE_SUFFIXES
    from keywarp.keyframes.importers import load

    try:
        imported = load(file)
    except KeywarpError as error:
        if "no file that can be imported" in str(error):
            raise KeywarpError(
                f"{file} is neither a character (.yaml), nor a picture ({', '.join(PICTURE_SUFFIXES)}), "
                "nor weights or a clip that is known"
            ) from None
        raise
    clip = imported.clip
    _show(
        [
            ("clip", str(file)),
            ("title", clip.title),
            ("pose space", f"{clip.space}, {clip.pose_space.description}"),
            ("frames", f"{clip.start:g} to {clip.end:g}"),
            ("rate", f"{clip.fps:g} frames a second"),
            ("length", f"{clip.seconds:.2f} s"),
            ("markers", ", ".join(f"{marker.name} ({marker.frame:g})" for marker in clip.markers)),
            ("author", clip.author),
            ("licence", clip.licence or "not stated"),
            ("credit", clip.credit),
            ("source", clip.source),
        ]
    )
    notes(imported.notes)
    _curves(clip)


def _curves(clip: Clip) -> None:
    say()
    say(f"{len(clip.curves)} of {len(clip.pose_space)} channels have curves")
    rows = []
    for channel in clip.pose_space.channels:
        if channel.name in clip.curves:
            keys = clip.curves[channel.name].columns
            reach = f"{keys.value.min():.3g} to {keys.value.max():.3g}"
            rows.append((channel.group, channel.name, f"{len(keys)} keys", reach))
    columns(rows, indent="  ")
