# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames into the memory of a ring, in the form that the host wants."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from keywarp.core.bleed import HiddenColour
from keywarp.core.color import Colour, over, over_srgb8, to_srgb8
from keywarp.core.opencv import cv2
from keywarp.core.picture import Picture
from keywarp.core.render.job import region_box, with_margin
from keywarp.core.render.stage import Stage
from keywarp.core.resample import hold
from keywarp.core.reswarp.pyramid import Box
from keywarp.core.runtime.scratch import Scratch
from keywarp.keyframes.channels import Poses

_scratch = Scratch()


def draw(
    stage: Stage,
    pose: Poses,
    crop: tuple[int, int, int, int] | None,
    pixels: str,
    flip: bool,
    background: Colour | None,
    to: memoryview,
) -> None:
    """The frame, or its part ``crop`` (x, y, width, height), as ``pixels`` (see ``ring.PIXELS``) to the memory
    ``to``; ``flip``: rows from the bottom up; ``background``: what stands behind it, composited in linear light."""
    box = region_box(stage, crop)
    width, height = box[2] - box[0], box[3] - box[1]
    if pixels == "rgba32f_linear":
        target = np.frombuffer(to, np.float32).reshape(height, width, 4)
        _draw_floats(stage, pose, None if crop is None else box, flip, target)
        if background is not None:
            target[..., :3] = over(hold(target), background)
            target[..., 3] = 1.0
        return
    bytes_to = np.frombuffer(to, np.uint8).reshape(height, width, 4)
    if background is not None:
        encoded = _encoded_over(stage, pose, box, background)
    elif crop is None:
        encoded = stage.frame_srgb8(pose)
        if stage.device != "cpu":
            _colour_hidden(encoded)
    else:
        encoded = _encoded_part(stage, pose, box)
    if flip:
        cv2.flip(encoded, 0, dst=bytes_to)
        encoded = bytes_to
    if pixels == "bgra8_srgb":
        cv2.cvtColor(encoded, cv2.COLOR_RGBA2BGRA, dst=bytes_to)
    elif encoded is not bytes_to:
        bytes_to[:] = encoded


def _draw_floats(stage: Stage, pose: Poses, box: Box | None, flip: bool, target: Picture) -> None:
    if box is None and not flip:
        stage.frame(pose, target)
        return
    frame = stage.frame(pose, _whole_frame(stage), box)
    part = frame if box is None else frame[box[1] : box[3], box[0] : box[2]]
    if flip:
        cv2.flip(part, 0, dst=target)
    else:
        target[:] = part


def _encoded_part(stage: Stage, pose: Poses, box: Box) -> np.ndarray:
    wide, (left, top, right, bottom) = with_margin(stage, box)
    frame = stage.frame(pose, _whole_frame(stage), wide)
    encoded = to_srgb8(np.ascontiguousarray(frame[wide[1] : wide[3], wide[0] : wide[2]]), (wide[0], wide[1]))
    return np.ascontiguousarray(encoded[top : encoded.shape[0] - bottom, left : encoded.shape[1] - right])


def _colour_hidden(encoded: npt.NDArray[np.uint8]) -> None:
    """The neighbours' colour into transparent pixels, which hosts that scale straight alpha mix into the edges."""
    hidden = HiddenColour(encoded)
    hidden.alpha[:] = encoded[..., 3]
    hidden.fill()


def _encoded_over(stage: Stage, pose: Poses, box: Box, background: Colour) -> np.ndarray:
    left, top, right, bottom = box
    frame = stage.frame(pose, _whole_frame(stage), box)
    # What a warp overshot would take away from the background, or add to it.
    encoded = over_srgb8(hold(np.ascontiguousarray(frame[top:bottom, left:right])), background)
    opaque: np.ndarray = cv2.cvtColor(encoded, cv2.COLOR_RGB2RGBA)
    return opaque


def _whole_frame(stage: Stage) -> Picture:
    return _scratch.array("frame", stage.view.height, stage.view.width, 4)
