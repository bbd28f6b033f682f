# SPDX-License-Identifier: GPL-3.0-or-later
"""TPSMM as an Animator: a picture follows a driving video whose frame and strength are channels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort

from keywarp.core.driving import Driving
from keywarp.core.framing import Framing
from keywarp.core.models.base import ModelInfo, Window
from keywarp.core.models.opaque import from_rest, moved_alpha, off_backdrop, over_backdrop, softened
from keywarp.core.models.tpsmm.layout import POINTS
from keywarp.core.models.tpsmm.performance import at_frame, carried_over, keypoints_of
from keywarp.core.models.tpsmm.splines import coefficients
from keywarp.core.motion import FloatImage, Motion
from keywarp.core.newness import newness
from keywarp.core.picture import Picture
from keywarp.core.resample import square_picture, warp_by_flow
from keywarp.core.runtime.device import DeviceGraph, to_device
from keywarp.core.runtime.session import Device
from keywarp.keyframes.channels import Poses
from keywarp.keyframes.spaces import space


@dataclass
class TpsmmState:
    """One character's picture and the keypoints that it follows."""

    square: Picture
    """(side, side, 4)"""
    inputs: dict[str, ort.OrtValue]
    """What every pose needs, on the device, by the graph's names."""
    source: FloatImage
    """(P, 2): the picture's own keypoints."""
    performance: FloatImage
    """(F, P, 2): keypoints for every frame of the driving video."""
    rest_flow: FloatImage
    """(side, side, 2): how the model warps the picture where nothing moves."""
    rest_image: Picture
    """(side, side, 4): its answer where nothing moves."""


class TpsmmAnimator:
    """Runs the graphs of ``export``; for one caller at a time."""

    def __init__(self, info: ModelInfo, folder: Path, device: Device, driving: Driving) -> None:
        self._info, self._device, self._driving = info, device, driving
        self._folder = folder
        self._keypoints = DeviceGraph(folder / "keypoints.onnx", device)
        self._pose = DeviceGraph(folder / "pose.onnx", device)

    @property
    def info(self) -> ModelInfo:
        return self._info

    def prepare(self, picture: Picture, framing: Framing) -> TpsmmState:
        """The picture in the model's square, over a plain colour where it is transparent; and the driving video's
        keypoints, which are found the first time."""
        square = square_picture(picture, framing, self._info.side)
        shown = np.ascontiguousarray(over_backdrop(square).transpose(2, 0, 1)[None])
        source = self._detect(shown)
        own = keypoints_of(self._driving.video, self._info.content, self._info.side, self._detect)
        performance = carried_over(self._driving, own, source, self._avd)
        nothing = np.zeros((*square.shape[:2], 2), np.float32)
        state = TpsmmState(square, self._inputs(shown, source), source, performance, nothing, square)
        still, flow, _ = self._answer(state, source)
        state.rest_flow, state.rest_image = flow, still
        return state

    def _detect(self, shown: FloatImage) -> FloatImage:
        self._keypoints.bind(picture=to_device(shown, self._device))
        self._keypoints.run()
        points: FloatImage = self._keypoints.outputs["points"].numpy()[0].copy()
        return points

    def _avd(self, source: FloatImage, driving: FloatImage) -> FloatImage:
        graph = DeviceGraph(self._folder / "avd.onnx", self._device)
        graph.bind(
            source_points=to_device(source[None], self._device),
            driving_points=to_device(driving[None], self._device),
        )
        graph.run()
        points: FloatImage = graph.outputs["points"].numpy()[0].copy()
        return points

    def _inputs(self, shown: FloatImage, source: FloatImage) -> dict[str, ort.OrtValue]:
        graph = DeviceGraph(self._folder / "source.onnx", self._device)
        picture = to_device(shown, self._device)
        graph.bind(picture=picture)
        graph.run()
        points = to_device(source[None], self._device)
        return {"picture": picture, "source_points": points, **graph.outputs}

    def motion(self, state: TpsmmState, pose: Poses, window: Window | None = None) -> Motion:
        """See ``Animator.motion``; always the whole square. ``pose`` is of the space ``driving``.

        New is what differs from the warped picture where the occlusion mask let the network draw.
        """
        channels = space(self._info.space)
        frame, strength = (float(pose[channels.index(f"driving_{x}")]) for x in ("frame", "strength"))
        target = at_frame(state.performance, frame)
        points = state.source + np.float32(strength) * (target - state.source)
        image, flow, mask = self._answer(state, points)
        corrected = from_rest(flow, state.rest_flow)
        drawn = np.clip(2 * (1 - softened(mask)), 0, 1)
        new = newness(image, warp_by_flow(state.rest_image, corrected)) * drawn
        return Motion(image, corrected, np.ascontiguousarray(new[..., None], np.float32))

    def _answer(self, state: TpsmmState, points: FloatImage) -> tuple[Picture, FloatImage, FloatImage]:
        """The picture posed by keypoints (P, 2): image, flow as the network has it, occlusion mask (side, side)."""
        side = self._info.side
        grouped = points.reshape(-1, POINTS, 2).astype(np.float32)
        spline = coefficients(grouped, state.source.reshape(grouped.shape))
        given = {"driving_points": points, "weights": spline.weights, "affine": spline.affine}
        values = {n: to_device(x.astype(np.float32)[None], self._device) for n, x in given.items()}
        self._pose.bind(**state.inputs, **values)
        self._pose.run()
        out = {name: value.numpy() for name, value in self._pose.outputs.items()}
        # The network's grid has the outermost pixels' centres at -1 and 1; a Motion's square reaches half a pixel on.
        centres = (2 * np.arange(side, dtype=np.float32) + 1) / side - 1
        identity = np.stack(np.meshgrid(centres, centres), -1)
        flow = np.ascontiguousarray(out["grid"][0] * np.float32((side - 1) / side) - identity)
        alpha = moved_alpha(np.ascontiguousarray(state.square[..., 3]), flow)
        return off_backdrop(out["prediction"][0].transpose(1, 2, 0), alpha), flow, out["mask"][0, 0].copy()
