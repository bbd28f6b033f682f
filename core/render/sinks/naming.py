# SPDX-License-Identifier: GPL-3.0-or-later
"""What frames are called: a name with one run of ``#``, in whose place a frame's number stands."""

from __future__ import annotations

import re
from pathlib import Path

from keywarp.keyframes.errors import KeywarpError

IMAGE_SUFFIXES = (".png", ".exr")
"""What an image may end in."""
_IN_A_FOLDER = "frame_####.png"


def is_sequence(out: Path) -> bool:
    """Whether frames go to images of their own there."""
    return not out.suffix or out.is_dir() or out.suffix.lower() in IMAGE_SUFFIXES


def frame_pattern(out: Path) -> Path:
    """The pattern of the images that are written to ``out``: a folder, or a pattern itself. Raises ``KeywarpError``
    where it can be neither."""
    if out.name.lower() in IMAGE_SUFFIXES:
        raise KeywarpError(f"{out} is an ending without a name; write frame_####{out.name}, for instance")
    if out.is_dir() or not out.suffix:
        if out.exists() and not out.is_dir():
            raise KeywarpError(f"{out} is a file, and no folder that frames could be written to")
        return out / _IN_A_FOLDER
    if len(re.findall("#+", out.name)) != 1:
        raise KeywarpError(
            f"{out}: a sequence needs one run of # for the frame number, as in frame_####{out.suffix}"
        )
    return out


def frame_path(pattern: Path, number: int) -> Path:
    """The file of a frame."""
    name = re.sub("#+", lambda run: f"{number:0{len(run.group())}d}", pattern.name)
    return pattern.with_name(name)


def may_be_frame(pattern: Path, file: Path) -> bool:
    """Whether some frame would be written over ``file``."""
    before, _, after = re.split("(#+)", pattern.name)
    same_name = re.fullmatch(re.escape(before) + r"-?\d+" + re.escape(after), file.name, re.IGNORECASE)
    return (
        same_name is not None
        and file.exists()
        and pattern.parent.exists()
        and file.absolute().parent.samefile(pattern.absolute().parent)
    )
