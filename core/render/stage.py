# SPDX-License-Identifier: GPL-3.0-or-later
"""A character at one output size: poses in, finished frames out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from keywarp.core.canvas import Fit, View, view_of
from keywarp.core.character import Character
from keywarp.core.color import to_srgb8
from keywarp.core.models.base import ModelInfo
from keywarp.core.motion import FloatImage, Motion
from keywarp.core.picture import Picture
from keywarp.core.render.performer import Artwork, Performer
from keywarp.core.render.provenance import Provenance, provenance_of
from keywarp.core.resample import inverse, place_mask, place_picture, square_to_pixels, then
from keywarp.core.reswarp import ResWarp
from keywarp.core.reswarp.device import DeviceResWarp, reswarp_on
from keywarp.core.reswarp.pyramid import Box
from keywarp.core.runtime.device import DeviceMotion
from keywarp.core.runtime.session import Device
from keywarp.keyframes.channels import Poses


class Stage:
    """Draws one character at one size, on one device; for one caller at a time."""

    def __init__(
        self,
        character: Character | Performer,
        *,
        size: tuple[int, int] | None = None,
        fit: Fit = "contain",
        device: str = "auto",
        draft: bool = False,
    ) -> None:
        """``character``: what is to be opened on ``device``, or the performer that other stages show too."""
        self.performer = p = character if isinstance(character, Performer) else Performer(character, device)
        self.character: Character = p.character
        self.model: ModelInfo = p.model
        self.device: Device = p.device
        self.artwork: Artwork = p.artwork
        self.view: View = view_of((p.artwork.canvas.shape[1], p.artwork.canvas.shape[0]), size, fit)
        self.reswarp = self._make_reswarp(draft)

    def _make_reswarp(self, draft: bool) -> ResWarp:
        art, view = self.artwork, self.view
        still = place_picture(art.canvas, view.canvas_to_frame, view.width, view.height)
        square_to_frame = then(inverse(art.canvas_framing.matrix()), view.canvas_to_frame)
        weight = self.performer.edge_weight
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
            self.performer.rest,
            canvas=view.canvas,
            weight=weight,
            move_mask=full_mask,
            draft=draft,
        )

    def _mask_in(self, canvas_to_target: npt.NDArray[np.float64], width: int, height: int) -> FloatImage:
        """The move mask laid into another grid, whatever its own resolution."""
        mask = self.artwork.mask
        assert mask is not None
        h, w = self.artwork.canvas.shape[:2]
        to_canvas = np.array([[w / mask.shape[1], 0, 0], [0, h / mask.shape[0], 0]])
        return place_mask(mask, then(to_canvas, canvas_to_target), width, height)

    @property
    def provenance(self) -> Provenance:
        """What every file made here says about its origin."""
        return provenance_of(self.character, self.model)

    def motion(self, pose: Poses, window: Box | None = None) -> Motion:
        """The model's answer to a pose, (C,) in its space; with a window of the frame only what that needs."""
        return self.performer.motion(pose, window and self.reswarp.low_window(window))

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
        if isinstance(self.reswarp, DeviceResWarp):
            motion = self.performer.device_motion(pose)
            if motion is not None:
                return self.reswarp, motion
        return None
