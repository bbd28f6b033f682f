# SPDX-License-Identifier: GPL-3.0-or-later
"""ResWarp on a GPU: the residuals lie on the device, and only finished frames leave it."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from keywarp.core.color import to_srgb8
from keywarp.core.motion import FloatImage, Motion
from keywarp.core.picture import Picture
from keywarp.core.resample import Affine
from keywarp.core.reswarp.graph import Geometry, reswarp_network
from keywarp.core.reswarp.pyramid import Box
from keywarp.core.reswarp.warper import ResWarp
from keywarp.core.runtime.device import (
    DeviceGraph,
    DeviceMotion,
    channels_first,
    over_host,
    page_locked,
    to_device,
)
from keywarp.core.runtime.session import Device


class DeviceResWarp(ResWarp):
    """``ResWarp`` with the same answers, computed on ``device`` as one graph; for one caller in one thread.

    A window of a frame costs as much as the whole frame.
    """

    def __init__(
        self,
        source: Picture,
        square_to_frame: Affine,
        rest: FloatImage,
        *,
        device: Device,
        canvas: Box | None = None,
        multiscale: bool = True,
        weight: FloatImage | None = None,
        move_mask: FloatImage | None = None,
        draft: bool = False,
    ) -> None:
        super().__init__(
            source,
            square_to_frame,
            rest,
            canvas=canvas,
            multiscale=multiscale,
            weight=weight,
            move_mask=move_mask,
            draft=draft,
        )
        self._device = device
        self._inputs = self._on_device() if self._levels else {}
        self._graphs: dict[bool, DeviceGraph] = {}

    @cached_property
    def _frame8(self) -> npt.NDArray[np.uint8]:
        """The host memory of 8-bit frames; before the first one it holds the still picture."""
        return page_locked(to_srgb8(self._source))

    @property
    def geometry(self) -> Geometry:
        """The shape of the graph."""
        height, width = self._source.shape[:2]
        return Geometry(
            width,
            height,
            self._box,
            self._rest.shape[0],
            tuple(level.scale for level in self._levels),
            self._levels[0].to_low,
            self._square_to_frame[:, :2],
            self._weight is not None,
            self._mask is not None,
        )

    def _on_device(self) -> dict[str, ort.OrtValue]:
        """The inputs that are the same for every frame and both kinds of output."""
        arrays = {f"residual_{level.scale}": channels_first(level.residual) for level in self._levels}
        arrays["rest"] = channels_first(self._rest)
        if self._weight is not None:
            arrays["weight"] = np.asarray(self._weight, np.float32)[None, None]
        if self._mask is not None:
            left, top, right, bottom = self._box
            arrays["still"] = channels_first(self._source[top:bottom, left:right])
            arrays["move_mask"] = channels_first(self._mask[top:bottom, left:right])
        return {name: to_device(array, self._device) for name, array in arrays.items()}

    def _graph(self, encoded: bool) -> DeviceGraph:
        """The graph with 8-bit or with float frames, made when it is first needed."""
        if encoded not in self._graphs:
            model = reswarp_network(self.geometry, encoded).SerializeToString()
            graph = DeviceGraph(model, self._device)
            graph.bind(**self._inputs, **self._still_around(self._frame8 if encoded else self._source))
            if encoded:
                graph.bind_output("frame", over_host(self._frame8))
            self._graphs[encoded] = graph
        return self._graphs[encoded]

    def _still_around(self, still: npt.NDArray[Any]) -> dict[str, ort.OrtValue]:
        left, top, right, bottom = self._box
        parts = {
            "above": still[:top],
            "left": still[top:bottom, :left],
            "right": still[top:bottom, right:],
            "below": still[bottom:],
        }
        # Copies: the frame that the 8-bit graph writes to is the array that they are parts of.
        return {name: to_device(parts[name].copy(), self._device) for name in self.geometry.around}

    def frame(self, motion: Motion, out: Picture | None = None, window: Box | None = None) -> Picture:
        """The whole frame, (H, W, 4) float32, whatever the ``window``; see ``ResWarp.frame``."""
        if not self._levels:
            return super().frame(motion, out, window)
        return self.device_frame(DeviceMotion.of(motion, self._device), out)

    def device_frame(self, motion: DeviceMotion, out: Picture | None = None) -> Picture:
        """The frame that shows a motion which lies on the device."""
        if out is None:
            out = np.empty_like(self._source)
        if not self._levels:
            out[:] = self._source
            return out
        target = out if out.flags.c_contiguous else np.empty_like(self._source)
        graph = self._graph(False)
        graph.bind_output("frame", over_host(target))
        self._run(graph, motion)
        if target is not out:
            out[:] = target
        return out

    def frame_srgb8(self, motion: DeviceMotion) -> npt.NDArray[np.uint8]:
        """The same as (H, W, 4) 8-bit sRGB with straight alpha; valid until the next call.

        Unlike those of ``color.to_srgb8``, transparent pixels that move are black: what shows or composites the frame
        never looks at them. Files that carry colour there are written from float frames.
        """
        if self._levels:
            self._run(self._graph(True), motion)
        return self._frame8

    @staticmethod
    def _run(graph: DeviceGraph, motion: DeviceMotion) -> None:
        graph.bind(image=motion.image, flow=motion.flow, painted=motion.painted)
        graph.run()


def reswarp_on(
    device: Device, source: Picture, square_to_frame: Affine, rest: FloatImage, **settings: Any
) -> ResWarp:
    """``ResWarp`` for a device: by tiles on the CPU, as one graph elsewhere."""
    if device == "cpu":
        return ResWarp(source, square_to_frame, rest, **settings)
    return DeviceResWarp(source, square_to_frame, rest, device=device, **settings)
