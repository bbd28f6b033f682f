# SPDX-License-Identifier: GPL-3.0-or-later
"""A character, a model and an output size, made ready: poses in, finished frames out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keywarp.core.canvas import Fit, View, view_of
from keywarp.core.character import Character
from keywarp.core.color import to_srgb8
from keywarp.core.framing import Framing
from keywarp.core.head import HeadBox, framing_for
from keywarp.core.models.base import Animator, DeviceAnimator, ModelInfo
from keywarp.core.motion import FloatImage, Motion
from keywarp.core.newness import newness
from keywarp.core.opencv import cv2
from keywarp.core.picture import Picture, read_picture
from keywarp.core.registration import register
from keywarp.core.render.provenance import Provenance
from keywarp.core.resample import inverse, place_picture, square_picture, square_to_pixels, then
from keywarp.core.reswarp import ResWarp
from keywarp.core.reswarp.device import DeviceResWarp, reswarp_on
from keywarp.core.reswarp.pyramid import Box
from keywarp.core.runtime.device import DeviceMotion
from keywarp.core.runtime.session import Device, choose_device
from keywarp.keyframes.channels import Poses
from keywarp.keyframes.spaces import space

TAPER = 0.08
"""Share of the square over which motion fades out towards an edge beyond which the picture goes on."""
VISIBLE = 0.02
"""Opacity from which something counts as seen beyond an edge."""


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
        hd_to_picture = register(canvas, picture).matrix
        canvas_framing = Framing.from_matrix(then(hd_to_picture, framing.matrix()))
    mask = None
    if character.move_mask is not None:
        painted = read_picture(character.move_mask).pixels
        mask = np.ascontiguousarray(painted[..., :3].max(-1))
    return Artwork(picture, framing, canvas, canvas_framing, mask)


def _find_framing(picture: Picture, character: Character, model: ModelInfo) -> Framing:
    h, w = picture.shape[:2]
    if model.picture is not None and h == w:
        return Framing.of_square(0, 0, w)  # the very square that the model was made for
    head = None if character.head is None else HeadBox(*character.head)
    return framing_for(picture, head)


class Stage:
    """Draws one character at one size, on one device; for one caller at a time."""

    def __init__(
        self,
        character: Character,
        *,
        size: tuple[int, int] | None = None,
        fit: Fit = "contain",
        device: str = "auto",
        draft: bool = False,
        artwork: Artwork | None = None,
    ) -> None:
        """``artwork``: another stage's of the same character, so that it need not be loaded again."""
        self.character = character
        source = character.find_model()
        self.model: ModelInfo = source.info
        self.device: Device = choose_device(device)
        self._animator: Animator = source.open(self.device)
        self.artwork = art = artwork or load_artwork(character, self.model)
        self._state = self._animator.prepare(art.picture, art.framing)
        canvas_size = art.canvas.shape[1], art.canvas.shape[0]
        self.view: View = view_of(canvas_size, size, fit)
        self.reswarp = self._make_reswarp(draft)

    def _make_reswarp(self, draft: bool) -> ResWarp:
        art, view = self.artwork, self.view
        still = place_picture(art.canvas, view.canvas_to_frame, view.width, view.height)
        square_to_frame = then(inverse(art.canvas_framing.matrix()), view.canvas_to_frame)
        picture = square_picture(art.picture, art.framing, self.model.side)
        rest = own_rest(self._animator.motion(self._state, self._rest_pose()).image, picture)
        weight = edge_weight(art.canvas, art.canvas_framing, self.model.side)
        full_mask = None
        if art.mask is not None:
            low = self._mask_in(
                then(art.canvas_framing.matrix(), square_to_pixels(self.model.side)),
                self.model.side,
                self.model.side,
            )
            weight = low if weight is None else weight * low
            full_mask = self._mask_in(view.canvas_to_frame, view.width, view.height)
        return reswarp_on(
            self.device,
            still,
            square_to_frame,
            rest,
            canvas=view.canvas,
            weight=weight,
            move_mask=full_mask,
            draft=draft,
        )

    def _rest_pose(self) -> Poses:
        """The pose in which the model is meant to show the picture as it is."""
        return space(self.model.space).pose(self.character.defaults)

    def _mask_in(self, canvas_to_target: npt.NDArray[np.float64], width: int, height: int) -> FloatImage:
        """The move mask laid into another grid, whatever its own resolution."""
        mask = self.artwork.mask
        assert mask is not None
        h, w = self.artwork.canvas.shape[:2]
        to_canvas = np.array([[w / mask.shape[1], 0, 0], [0, h / mask.shape[0], 0]])
        rgba = np.repeat(mask[..., None], 4, -1)
        return place_picture(rgba, then(to_canvas, canvas_to_target), width, height)[..., 3]

    @property
    def provenance(self) -> Provenance:
        """What every file made here says about its origin."""
        character, model = self.character, self.model
        licences = [character.licence and f"artwork: {character.licence}", f"model: {model.licence}"]
        credits = [character.credit, model.credit]
        return Provenance(
            character=character.name,
            model=f"{model.form} {model.source} ({model.content[:12]})",
            licence="; ".join(filter(None, licences)),
            credit="; ".join(filter(None, credits)),
        )

    def motion(self, pose: Poses, window: Box | None = None) -> Motion:
        """The model's answer to a pose, (C,) in its space; with a window of the frame only what that needs."""
        return self._animator.motion(self._state, pose, window and self.reswarp.low_window(window))

    def frame(self, pose: Poses, out: Picture | None = None, window: Box | None = None) -> Picture:
        """The frame, (H, W, 4), that shows the pose; with a ``window`` (left, top, right, bottom) only that part
        of it is defined. Written to ``out`` where it is given."""
        moving = self._moving(pose)
        if moving is not None:
            return moving[0].device_frame(moving[1], out)
        return self.reswarp.frame(self.motion(pose, window), out, window)

    def frame_srgb8(self, pose: Poses) -> npt.NDArray[np.uint8]:
        """The whole frame as 8-bit sRGB with straight alpha, (H, W, 4), for showing it at once; valid until the next
        call. On a GPU nothing but these bytes leaves the device (see ``DeviceResWarp.frame_srgb8``)."""
        moving = self._moving(pose)
        return to_srgb8(self.frame(pose)) if moving is None else moving[0].frame_srgb8(moving[1])

    def _moving(self, pose: Poses) -> tuple[DeviceResWarp, DeviceMotion] | None:
        """Where both the model and ResWarp run on a device: ResWarp, and the pose's motion, left there."""
        if isinstance(self.reswarp, DeviceResWarp) and isinstance(self._animator, DeviceAnimator):
            return self.reswarp, self._animator.device_motion(self._state, pose)
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
