# SPDX-License-Identifier: GPL-3.0-or-later
"""Speed on a GPU: from a pose to the finished 8-bit frame in host memory."""

from __future__ import annotations

import statistics

from keywarp.core.bench.measure import Row, seconds_of
from keywarp.core.render.stage import Stage
from keywarp.keyframes.channels import Poses

WARM_UP = 5
"""Frames that do not count: memory is taken and kernels are loaded with the first ones."""


def measure_gpu(stage: Stage, poses: Poses) -> float:
    """Seconds a frame, the median over ``poses``, (N, C): model, ResWarp, conversion to sRGB RGBA8, and the way
    back to the host."""
    for pose in poses[:WARM_UP]:
        stage.frame_srgb8(pose)
    return statistics.median(seconds_of(lambda pose=pose: stage.frame_srgb8(pose)) for pose in poses)  # type: ignore[misc]


def gpu_row(stage: Stage, poses: Poses) -> Row:
    """The same as a row of the table."""
    seconds = measure_gpu(stage, poses)
    size = f"{stage.view.width}x{stage.view.height}"
    return Row(
        "Motion and ResWarp to RGBA8 on the GPU",
        seconds,
        target="<= 8 ms",
        note=f"{1000 * seconds:.2f} ms a frame of {size}, in host memory",
    )
