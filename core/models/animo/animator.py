# SPDX-License-Identifier: GPL-3.0-or-later
"""AniMo as an Animator: AnimeCeleb's 20 numbers pose any picture of an anime head."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort

from keywarp.core.framing import Framing
from keywarp.core.models.animo.pose_mapping import PoseMapping
from keywarp.core.models.base import ModelInfo, Window
from keywarp.core.models.opaque import from_rest, moved_alpha, off_backdrop, over_backdrop
from keywarp.core.motion import FloatImage, Motion
from keywarp.core.newness import newness
from keywarp.core.picture import Picture
from keywarp.core.resample import square_picture, warp_by_flow
from keywarp.core.runtime.device import DeviceGraph, to_device
from keywarp.core.runtime.session import Device
from keywarp.keyframes.channels import Poses
from keywarp.keyframes.spaces import space


@dataclass
class AniMoState:
    """One character's picture."""

    square: Picture
    """(side, side, 4)"""
    inputs: dict[str, ort.OrtValue]
    """What every pose needs, on the device, by the graph's names."""
    rest_flow: FloatImage
    """(side, side, 2): how the model warps the picture in the neutral pose."""
    rest_image: Picture
    """(side, side, 4): its answer to the neutral pose."""


class AniMoAnimator:
    """Runs the graphs of ``export``; for one caller at a time."""

    def __init__(self, info: ModelInfo, folder: Path, device: Device, mapping: PoseMapping) -> None:
        self._info, self._device, self._mapping = info, device, mapping
        self._source = DeviceGraph(folder / "source.onnx", device)
        self._pose = DeviceGraph(folder / "pose.onnx", device)

    @property
    def info(self) -> ModelInfo:
        return self._info

    def prepare(self, picture: Picture, framing: Framing) -> AniMoState:
        """The picture in the model's square, over a plain colour where it is transparent."""
        square = square_picture(picture, framing, self._info.side)
        shown = np.ascontiguousarray(over_backdrop(square).transpose(2, 0, 1)[None] * 2 - 1)
        value = to_device(shown, self._device)
        self._source.bind(picture=value)
        self._source.run()
        maps = {n: to_device(x.numpy().copy(), self._device) for n, x in self._source.outputs.items()}
        nothing = np.zeros((*square.shape[:2], 2), np.float32)
        state = AniMoState(square, {"picture": value, **maps}, nothing, square)
        state.rest_image, state.rest_flow = self._answer(state, space(self._info.space).rest())
        return state

    def motion(self, state: AniMoState, pose: Poses, window: Window | None = None) -> Motion:
        """See ``Animator.motion``; always the whole square. New is what differs from the warped picture: everything
        is drawn by the editing network, and nothing else says which of it is."""
        image, flow = self._answer(state, pose)
        corrected = from_rest(flow, state.rest_flow)
        new = newness(image, warp_by_flow(state.rest_image, corrected))
        return Motion(image, corrected, np.ascontiguousarray(new[..., None], np.float32))

    def _answer(self, state: AniMoState, pose: Poses) -> tuple[Picture, FloatImage]:
        """The picture in a pose (20,): image, and flow as the network has it."""
        side = self._info.side
        driving = self._mapping(pose)[None].astype(np.float32)
        self._pose.bind(**state.inputs, pose=to_device(driving, self._device))
        self._pose.run()
        output, grid = (self._pose.outputs[name].numpy()[0] for name in ("output", "grid"))
        centres = (2 * np.arange(side, dtype=np.float32) + 1) / side - 1
        flow = np.ascontiguousarray(grid - np.stack(np.meshgrid(centres, centres), -1))
        alpha = moved_alpha(np.ascontiguousarray(state.square[..., 3]), flow)
        return off_backdrop(output.transpose(1, 2, 0) * 0.5 + 0.5, alpha), flow
