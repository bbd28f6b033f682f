# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that several commands share, and what their texts mean."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable
from enum import Enum
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, NoReturn, Optional

import typer

from keywarp.keyframes.errors import KeywarpError, installing

MAX_FPS = 1000


class Fit(str, Enum):
    contain = "contain"
    cover = "cover"


class Device(str, Enum):
    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class Quality(str, Enum):
    draft = "draft"
    full = "full"


class DrivingMode(str, Enum):
    relative = "relative"
    standard = "standard"
    avd = "avd"


class Bits(str, Enum):
    eight = "8"
    sixteen = "16"


CharacterArgument = Annotated[
    str,
    typer.Argument(
        metavar="CHARACTER",
        help="A character file, a folder with one, or a picture.",
    ),
]
ClipArgument = Annotated[
    Path, typer.Argument(metavar="CLIP", help="A clip, or a motion or recording of another program.")
]
ModelOption = Annotated[
    Optional[str],
    typer.Option(
        "--model",
        metavar="MODEL",
        help="The model: a path, or a name that `models` lists; default: the character's, or the one that ships.",
    ),
]
SizeOption = Annotated[
    Optional[str], typer.Option("--size", metavar="WxH", help="The frame's size; default: the picture's own.")
]
FitOption = Annotated[
    Fit, typer.Option("--fit", help="Show the whole picture, or fill the frame and cut off the rest.")
]
RegionOption = Annotated[
    Optional[str],
    typer.Option(
        "--region", metavar="X,Y,W,H", help="Only this part of the frame, in its pixels from the top left."
    ),
]
DeviceOption = Annotated[Device, typer.Option("--device", help="What to compute on.")]
QualityOption = Annotated[Quality, typer.Option("--quality", help="draft is faster and a little less exact.")]
DataOption = Annotated[
    Optional[list[Path]],
    typer.Option(
        "--data",
        metavar="DATA",
        help="Shards (.tar), videos, or a folder of these, of frames or of labelled pictures; may be given again.",
    ),
]
RunArgument = Annotated[
    Path, typer.Argument(metavar="RUN", help="The folder of a run, as `train` has written it.")
]
BitsOption = Annotated[Bits, typer.Option("--bits", help="Bits per channel of PNG files.")]
DrivingOption = Annotated[
    Optional[Path],
    typer.Option(
        "--driving", metavar="VIDEO", help="Whose motion the model takes over, for models of that kind."
    ),
]
DrivingModeOption = Annotated[
    Optional[DrivingMode],
    typer.Option(
        "--driving-mode",
        help="Moves since the first frame (relative, the default), the video's own shape, or by the avd network.",
    ),
]
BestFrameOption = Annotated[
    bool,
    typer.Option("--best-frame", help="Relative to the frame of the video that is most like the picture."),
]

Region = tuple[int, int, int, int]


def _wrong(option: str, text: str, right: str) -> NoReturn:
    raise KeywarpError(f"{option} {text}: {right}")


def parse_size(text: str | None) -> tuple[int, int] | None:
    """``WxH`` in pixels."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,6})[xX](\d{1,6})", text.strip(), re.ASCII)
    if match is None:
        _wrong("--size", text, "give width and height in pixels, as in 3840x2160")
    return int(match[1]), int(match[2])


def parse_frames(text: str | None) -> tuple[int, int] | None:
    """``A-B`` or a single frame; numbers may be negative."""
    if text is None:
        return None
    match = re.fullmatch(r"(-?\d{1,9})(?:-(-?\d{1,9}))?", text.strip(), re.ASCII)
    if match is None:
        _wrong("--frames", text, "give the first and the last frame, as in 1-240")
    return int(match[1]), int(match[2] or match[1])


def parse_region(text: str | None) -> Region | None:
    """``X,Y,W,H`` in whole pixels."""
    if text is None:
        return None
    match = re.fullmatch(
        r"(-?\d{1,6}),(-?\d{1,6}),(-?\d{1,6}),(-?\d{1,6})", re.sub(r"\s", "", text), re.ASCII
    )
    if match is None:
        _wrong("--region", text, "give left, top, width and height in whole pixels, as in 800,0,1024,768")
    x, y, w, h = map(int, match.groups())
    return x, y, w, h


def parse_head(text: str | None) -> tuple[float, float, float, float] | None:
    """``X,Y,W,H`` of the head in the picture's pixels."""
    if text is None:
        return None
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) != 4 or not all(map(math.isfinite, values)) or min(values[2:]) <= 0:
        _wrong(
            "--head",
            text,
            "give left, top, width and height of the head in the picture's pixels, as in 400,80,300,320",
        )
    return values[0], values[1], values[2], values[3]


def parse_rate(text: str | None) -> Fraction | None:
    """Frames a second: ``24``, ``24000/1001``; 23.976, 29.97 and their like mean the broadcast rates."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,9})/(\d{1,9})|(\d{1,4}(?:\.\d{1,9})?)", text.strip(), re.ASCII)
    if match is None or match[2] in ("0", "00"):
        _wrong("--fps", text, "give frames a second, as in 24, 23.976 or 24000/1001")
    rate = Fraction(int(match[1]), int(match[2])) if match[2] else _spoken_rate(match[3])
    if not 0 < rate <= MAX_FPS:
        _wrong("--fps", text, f"give a rate above 0 and up to {MAX_FPS} frames a second")
    return rate


def _spoken_rate(text: str) -> Fraction:
    rate = Fraction(text)
    nominal = round(rate * Fraction(1001, 1000))
    broadcast = Fraction(nominal * 1000, 1001)
    near = rate.denominator > 1 and nominal % 6 == 0 and abs(rate - broadcast) < Fraction(1, 200)
    return broadcast if near else rate


def parse_values(texts: Iterable[str]) -> dict[str, float]:
    """``NAME=NUMBER`` of each ``--set``; the last of a name counts."""
    values: dict[str, float] = {}
    for text in texts:
        name, equals, number = text.partition("=")
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        if not equals or not name.strip() or not math.isfinite(value):
            _wrong("--set", text, "give a channel and a number, as in head_y=0.5")
        values[name.strip()] = value
    return values


def need_training() -> None:
    """Refuse where the packages that training needs are not installed."""
    missing = [name for name in ("torch", "safetensors") if find_spec(name) is None]
    if missing:
        raise KeywarpError(f"this needs {' and '.join(missing)}: {installing('train')} brings them")


def parse_out(text: str) -> Path:
    """A place for frames. Nothing at all would be the working folder."""
    if not text.strip():
        raise KeywarpError("-o needs the name of a folder or file, not an empty text")
    return Path(text)


def check_output(out: Path, *inputs: Any) -> None:
    """Refuse, before anything is computed, a place that cannot be written to, and to write over what is read."""
    folder = out.absolute().parent
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        raise KeywarpError(f"{out}: {folder} is a file, so nothing can be written below it")
    if not os.access(out if out.exists() else folder, os.W_OK):
        raise KeywarpError(f"{out} cannot be written: the permission is missing")
    for given in inputs:
        if given is not None and out.exists() and Path(given).exists() and out.samefile(given):
            raise KeywarpError(f"{out} is what is read here; write to another file")


def check_frames(out: Path, *inputs: Any) -> None:
    """The same for what may be a sequence of images, a folder or a name with ``#``: none of them, whatever its
    number, may be written over what is read."""
    from keywarp.core.render.sinks.naming import frame_pattern, is_sequence, may_be_frame

    check_output(out, *inputs)
    if not is_sequence(out) or ("#" not in out.name and out.suffix and not out.is_dir()):
        return
    pattern = frame_pattern(out)
    for given in inputs:
        if given is not None and may_be_frame(pattern, Path(given)):
            raise KeywarpError(
                f"{given}, which is read here, is called like a frame of {out}; write elsewhere"
            )


def make_folder(out: Path) -> None:
    """The folder that a file will stand in."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KeywarpError(f"{out.parent} cannot be made: {error.strerror or error}") from None
