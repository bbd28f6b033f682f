# SPDX-License-Identifier: GPL-3.0-or-later
"""The THA4 student on a GPU: one graph for the whole square, whose answers stay on the device."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort

from keywarp.core.framing import Framing
from keywarp.core.models.base import ModelInfo, Window
from keywarp.core.models.tha import student_layout as layout
from keywarp.core.models.tha.cover import FINE_TILE, Cover, find_cover
from keywarp.core.motion import FloatImage, Motion
from keywarp.core.picture import Picture
from keywarp.core.resample import square_picture
from keywarp.core.runtime.device import DeviceGraph, DeviceMotion, channels_first, to_device
from keywarp.core.runtime.session import Device
from keywarp.keyframes.channels import Poses
from keywarp.keyframes.spaces import space

WHOLE_FILE = "whole.onnx"


@dataclass(frozen=True)
class DeviceStudentState:
    """One character's picture, on the device; names are those of the graph's inputs."""

    rest: ort.OrtValue
    rest_face: ort.OrtValue
    seen: ort.OrtValue
    rim: ort.OrtValue


class DeviceStudentAnimator:
    """Runs the graph of ``student_whole``; for one caller at a time, and one thread (CUDA's contexts are per
    thread)."""

    def __init__(self, info: ModelInfo, folder: Path, device: Device) -> None:
        self._info, self._device = info, device
        self._graph = DeviceGraph(folder / WHOLE_FILE, device)
        self._pose = to_device(np.zeros((1, layout.POSE_CHANNELS), np.float32), device)
        self._graph.bind(pose=self._pose)

    @property
    def info(self) -> ModelInfo:
        return self._info

    def prepare(self, picture: Picture, framing: Framing) -> DeviceStudentState:
        """The picture in the student's square; the picture should be the one that it was trained on."""
        square = square_picture(picture, framing, layout.SIDE)
        rest = to_device(channels_first(square * 2 - 1), self._device)
        unknown = to_device(np.zeros((1, 4, layout.FACE_SIDE, layout.FACE_SIDE), np.float32), self._device)
        everything = self._masks(Cover.everything())
        self._run(DeviceStudentState(rest, unknown, *everything), space(self._info.space).rest())
        rest_face = to_device(self._graph.outputs["face"].numpy().copy(), self._device)
        probing = DeviceStudentState(rest, rest_face, *everything)
        cover = find_cover(self._info.content, square, lambda pose, part: self.motion(probing, pose).image)
        return DeviceStudentState(rest, rest_face, *self._masks(cover))

    def _masks(self, cover: Cover) -> tuple[ort.OrtValue, ort.OrtValue]:
        """The tiles that the cover's plan computes, and their rim: the same pixels as on the CPU."""
        plan = cover.plan()
        seen: FloatImage = np.zeros((layout.SIDE, layout.SIDE, 1), np.float32)
        for left, top in plan.fine:
            seen[top : top + FINE_TILE, left : left + FINE_TILE] = 1
        return tuple(to_device(channels_first(x), self._device) for x in (seen, plan.rim))

    def motion(self, state: DeviceStudentState, pose: Poses, window: Window | None = None) -> Motion:
        """See ``Animator.motion``. Always the whole square: on a GPU a part of it costs nearly as much. What is
        never seen is as in ``StudentAnimator.motion``."""
        return self.device_motion(state, pose).read()

    def device_motion(self, state: DeviceStudentState, pose: Poses) -> DeviceMotion:
        """The same, left on the device; valid until the next call."""
        self._run(state, pose)
        out = self._graph.outputs
        return DeviceMotion(out["image"], out["flow"], out["painted"])

    def _run(self, state: DeviceStudentState, pose: Poses) -> None:
        self._pose.update_inplace(np.asarray(pose, np.float32).reshape(1, layout.POSE_CHANNELS))
        self._graph.bind(rest=state.rest, rest_face=state.rest_face, seen=state.seen, rim=state.rim)
        self._graph.run()
