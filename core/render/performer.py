# SPDX-License-Identifier: GPL-3.0-or-later
"""A character with its model open and its pictures framed: what the frames of every size share."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keywarp.core.character import Character
from keywarp.core.color import linear_to_srgb
from keywarp.core.framing import Framing
from keywarp.core.head import HeadBox, framing_for
from keywarp.core.models.base import Animator, DeviceAnimator, ModelInfo, Window
from keywarp.core.motion import FloatImage, Motion
from keywarp.core.newness import newness
from keywarp.core.opencv import cv2
from keywarp.core.picture import Picture, read_picture
from keywarp.core.registration import register
from keywarp.core.resample import Affine, square_picture, then
from keywarp.core.runtime.cache import cached_folder, content_hash
from keywarp.core.runtime.device import DeviceMotion
from keywarp.core.runtime.session import Device, choose_device, running
from keywarp.keyframes.channels import Poses
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.spaces import space

TAPER = 0.08
"""Share of the square over which motion fades out towards an edge beyond which the picture goes on."""
VISIBLE = 0.02
"""Opacity from which something counts as seen beyond an edge."""


REGISTRATION = "matrix.json"
"""In the cache: rows of the (2, 3) similarity."""

FOREIGN_SIDE, FOREIGN = 32, 0.05
"""Side of the tiny images by which pictures are told apart, and the mean difference from which they are others: the
same artwork differs by less than 0.01 at any size, two characters by 0.1 and more."""


@dataclass(frozen=True)
class Artwork:
    """The character's pictures and where the model's square lies in them."""

    picture: Picture
    """What the model sees."""
    framing: Framing
    """Pixels of ``picture`` to the model's square."""
    canvas: Picture
    """What is drawn: the HD picture, or the picture itself."""
    canvas_framing: Framing
    """Pixels of ``canvas`` to the model's square."""
    mask: FloatImage | None
    """(h, w) in [0, 1] of the canvas's extent: where it may move."""


def load_artwork(character: Character, model: ModelInfo) -> Artwork:
    """Read the pictures; find the framing and register the HD picture where the character does not say."""
    picture = read_picture(character.picture).pixels
    framing = character.framing or _find_framing(picture, character, model)
    canvas, canvas_framing = picture, framing
    if character.hd_picture is not None:
        canvas = read_picture(character.hd_picture).pixels
        hd_to_picture = _registered((character.hd_picture, canvas), (character.picture, picture))
        canvas_framing = Framing.from_matrix(then(hd_to_picture, framing.matrix()))
    mask = None
    if character.move_mask is not None:
        mask = _read_mask(character.move_mask)
    return Artwork(picture, framing, canvas, canvas_framing, mask)


def _registered(hd: tuple[Path, Picture], small: tuple[Path, Picture]) -> Affine:
    """The similarity that lays the HD picture over the other, looked for once for these two files."""

    def make(folder: Path) -> None:
        found = register(hd[1], small[1], str(hd[0]))
        (folder / REGISTRATION).write_text(json.dumps(found.matrix.tolist()), encoding="ascii")

    key = content_hash([b"1", hd[0], small[0]])
    told = json.loads((cached_folder(f"registration-{key}", make) / REGISTRATION).read_text(encoding="ascii"))
    return np.array(told, np.float64)


def _read_mask(path: Path) -> FloatImage:
    """(h, w) in [0, 1]: a painted mask's values as they are stored; they are no light."""
    file = read_picture(path)
    painted = np.ascontiguousarray(file.pixels[..., :3].max(-1))
    return painted if file.format == "EXR" else linear_to_srgb(painted)


def _find_framing(picture: Picture, character: Character, model: ModelInfo) -> Framing:
    h, w = picture.shape[:2]
    if model.picture is not None and h == w:
        return Framing.of_square(0, 0, w)  # the very square that the model was made for
    head = None if character.head is None else HeadBox(*character.head)
    return framing_for(picture, head, model.head)


def foreign(character: Character, artwork: Artwork, model: ModelInfo) -> str | None:
    """One sentence where the model animates one picture, and that is not the character's; else ``None``."""
    if model.picture is None or not model.picture.is_file() or model.picture.samefile(character.picture):
        return None
    own = read_picture(model.picture).pixels
    side = FOREIGN_SIDE
    expected = square_picture(own, Framing.of_square(0, 0, min(own.shape[:2])), side)
    shown = square_picture(artwork.picture, artwork.framing, side)
    if float(np.abs(expected - shown).mean()) <= FOREIGN:
        return None
    return f"the model was made for another picture, {model.picture.name}: it draws that character's face on this one"


class Performer:
    """One character on one device; for one caller at a time."""

    def __init__(self, character: Character, device: str = "auto") -> None:
        self.character = character
        source = character.find_model()
        self.model: ModelInfo = source.info
        self.device: Device = choose_device(device)
        self.animator: Animator = source.open(self.device)
        self.artwork = art = load_artwork(character, self.model)
        with running(self.model.source):
            self._state = self.animator.prepare(art.picture, art.framing)
        picture = square_picture(art.picture, art.framing, self.model.side)
        # The pose in which the model is meant to show the picture as it is.
        pose = space(self.model.space).pose(character.resting)
        self.rest: FloatImage = own_rest(self.motion(pose).image, picture)
        """See ``own_rest``."""
        self.edge_weight = edge_weight(art.canvas, art.canvas_framing, self.model.side)
        """See ``edge_weight``."""

    def motion(self, pose: Poses, window: Window | None = None) -> Motion:
        """The model's answer to a pose, (C,) in its space; with a window of its square only that part. Raises
        ``KeywarpError`` where its weights are broken: they cannot be run, or answer no numbers."""
        with running(self.model.source):
            motion = self.animator.motion(self._state, pose, window)
        left, top, right, bottom = window or (0, 0, self.model.side, self.model.side)
        planes = motion.image, motion.flow, motion.painted
        # A sum is finite where all that is added up is, and takes a tenth of a millisecond.
        if not all(math.isfinite(plane[top:bottom, left:right].sum()) for plane in planes):
            raise KeywarpError(
                f"{self.model.source} answers with what are no numbers: its weights are broken"
            )
        return motion

    def device_motion(self, pose: Poses) -> DeviceMotion | None:
        """The same for the whole square, left on the device; ``None`` where the model cannot."""
        if isinstance(self.animator, DeviceAnimator):
            with running(self.model.source):
                return self.animator.device_motion(self._state, pose)
        return None


def own_rest(answer: FloatImage, picture: FloatImage) -> FloatImage:
    """What the residuals are taken against, (h, w, 4): the model's own answer to the rest pose.

    A network reproduces its picture a little softer than it is. Against its own answer the residuals hold that
    loss too, and give it back on every frame; against the picture they would not. Where the answer shows
    something else than the picture, the picture stays.
    """
    other = cv2.dilate(newness(answer, picture), np.ones((5, 5), np.uint8))[..., None]
    rest: FloatImage = answer + (picture - answer) * other
    return rest


def edge_weight(canvas: Picture, framing: Framing, side: int) -> FloatImage | None:
    """(side, side): 0 at those edges of the square beyond which the picture goes on, rising to 1 inside.

    ``None`` where nothing visible crosses an edge.
    """
    # What of the picture lies in a strip around the square, seen at the model's resolution.
    # The pixels next to the square are left out: the resampling carries into them what is inside.
    blur = 2 + int(np.ceil(4 * max(framing.scale * side / 2, 1)))
    beyond = max(side // 64, 2)
    strip = beyond + blur
    wide = side + 2 * strip
    scale = side / wide
    wider = Framing(framing.scale * scale, framing.rotation_deg, framing.x * scale, framing.y * scale)
    alpha = square_picture(canvas, wider, wide)[..., 3]
    inside = np.arange(side) + 0.5
    ramps = np.minimum(inside / (TAPER * side), 1)
    ramps = ramps * ramps * (3 - 2 * ramps)
    edges = (
        (alpha[:beyond], ramps[:, None]),
        (alpha[-beyond:], ramps[::-1, None]),
        (alpha[:, :beyond], ramps[None]),
        (alpha[:, -beyond:], ramps[None, ::-1]),
    )
    crossed = [ramp for outside, ramp in edges if outside.max() > VISIBLE]
    if not crossed:
        return None
    weight = np.ones((side, side), np.float32)
    for ramp in crossed:
        weight *= ramp.astype(np.float32)
    return weight
