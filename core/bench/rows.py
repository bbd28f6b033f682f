# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``keywarp bench`` measures."""

from __future__ import annotations

import tempfile
import time
import zlib
from collections.abc import Iterator
from io import BytesIO
from itertools import cycle
from pathlib import Path

import numpy as np
from PIL import Image

from keywarp.core.bench.filling import filling
from keywarp.core.bench.gpu import gpu_row
from keywarp.core.bench.measure import Row, paired, peak_memory
from keywarp.core.character import Character
from keywarp.core.color import to_srgb8
from keywarp.core.framing import Framing
from keywarp.core.motion import Motion
from keywarp.core.opencv import cv2
from keywarp.core.render.job import PoseTrack, Timeline, region_box, render
from keywarp.core.render.sinks import Output, open_sink
from keywarp.core.render.stage import Stage
from keywarp.core.resample import square_picture, warp_by_flow
from keywarp.core.reswarp import ResWarp
from keywarp.core.runtime.session import choose_device, cuda_available, worker_count
from keywarp.keyframes.channels import Poses
from keywarp.keyframes.clip import Clip
from keywarp.keyframes.curve import Curve
from keywarp.keyframes.spaces import space

SIZE = (3840, 2160)
POSES = 30
MOTION_TARGET = "<= 0.125 (8 times faster), >= 45 dB"
SEQUENCE_FRAMES = 24
FRAMES = 24
"""Frames that a row of ResWarp times."""
SEQUENCE_SHARE = 0.6
"""Of the frame, which the character of the sequence fills at least."""


def random_poses(name: str, count: int, seed: int = 0) -> Poses:
    """(count, C): poses of a space that change in every channel."""
    of = space(name)
    share = np.random.Generator(np.random.PCG64(seed)).random((count, len(of)))
    return of.minimum + share * (of.maximum - of.minimum)


def clip_poses(stage: Stage, clip: Clip, count: int) -> Poses:
    """(count, C): poses spread over a clip."""
    return PoseTrack(clip, stage).poses(np.linspace(clip.start, clip.end, count))


def random_clip(name: str, count: int) -> Clip:
    """A clip that shows ``random_poses``, one a frame."""
    poses, frames = random_poses(name, count), np.arange(count, dtype=np.float64)
    curves = {channel: Curve.from_points(frames, poses[:, i]) for i, channel in enumerate(space(name).names)}
    return Clip(name, curves, 24.0, 0, count - 1)


def measured(character: Character | None, clip: Clip, device: str) -> Iterator[Row]:
    """Every row that this machine can measure, one after another; without a character those that need none."""
    if character is None:
        yield _against_remap("ResWarp to 4K, noise everywhere", *_noise())
        return
    if choose_device(device) == "cuda":
        on_gpu = Stage(character, size=SIZE, fit="cover", device="cuda")
        yield gpu_row(on_gpu, random_poses(on_gpu.model.space, POSES))
    stage = Stage(character, size=SIZE, fit="cover", device="cpu")
    # Before what uses PyTorch, because a process cannot take back the most memory that it ever held.
    with filling(character, SEQUENCE_SHARE, SIZE) as large:
        yield sequence_row(Stage(large, size=SIZE, fit="cover", device="cpu"))
    yield from motion_rows(stage, clip)
    yield from reswarp_rows(stage, clip)
    yield encoding_row(stage)


def sequence_row(stage: Stage) -> Row:
    """A whole 4K 8-bit PNG sequence, everything but the start-up."""
    clip = random_clip(stage.model.space, SEQUENCE_FRAMES)
    timeline = Timeline.of(clip)
    numbers = timeline.numbers(None)
    box = region_box(stage, None)
    shown = (stage.frame(PoseTrack(clip, stage).poses(np.zeros(1))[0])[..., 3] > 0).mean()
    with tempfile.TemporaryDirectory() as folder:
        output = Output(*SIZE, timeline.fps, stage.provenance)
        start = time.perf_counter()
        render(stage, clip, open_sink(Path(folder) / "frame_####.png", output), numbers, timeline, box)
        took = time.perf_counter() - start
        files = sorted(Path(folder).glob("*.png"))
        ours = files[-1].stat().st_size
        with Image.open(files[-1]) as image:
            plain = BytesIO()
            image.save(plain, "PNG", compress_level=1)
    note = (
        f"{len(numbers) / took:.2f} frames a second; character on {shown:.0%} of the frame; a file is "
        f"{ours / plain.tell():.2f} x zlib level 1; peak memory {peak_memory() / 2**30:.2f} GiB"
    )
    return Row(
        "4K PNG sequence, a frame", took / len(numbers), target=">= 2 frames/s, <= 1.3 x, <= 2 GiB", note=note
    )


def motion_rows(stage: Stage, clip: Clip) -> Iterator[Row]:
    """The model's Motion on the CPU against the plain evaluation of the published layers in PyTorch."""
    try:
        from keywarp.core.bench.torch_student import plain_evaluation
    except ImportError:
        yield Row(
            "Motion on the CPU",
            _seconds_each(stage),
            target=MOTION_TARGET,
            note="nothing to compare with: install PyTorch beside keywarp, as by pip install '.[torch]'",
        )
        return
    plain = plain_evaluation(stage)
    if plain is None:
        return
    tracks = {
        "random poses": random_poses(stage.model.space, POSES),
        "a clip": clip_poses(stage, clip, POSES),
    }
    for name, poses in tracks.items():
        worst = min(_psnr(stage.motion(pose).image, plain(pose)) for pose in poses)
        mine, theirs = cycle(poses), cycle(poses)
        row = paired(
            f"Motion on the CPU, {name}",
            lambda mine=mine: stage.motion(next(mine)),  # type: ignore[misc]
            "PyTorch, layer by layer",
            lambda theirs=theirs: plain(next(theirs)),  # type: ignore[misc]
            POSES,
            target=MOTION_TARGET,
            note=f"worst agreement {worst:.1f} dB over {len(poses)} poses",
        )
        yield row


def _seconds_each(stage: Stage) -> float:
    start = time.perf_counter()
    for pose in random_poses(stage.model.space, POSES):
        stage.motion(pose)
    return (time.perf_counter() - start) / POSES


def _psnr(image: np.ndarray, other: np.ndarray) -> float:
    """Of images in [0, 1]; the same number as in network space with its range of 2."""
    return float(-10 * np.log10(max(np.mean((image.astype(np.float64) - other) ** 2), 1e-20)))


def reswarp_rows(stage: Stage, clip: Clip) -> Iterator[Row]:
    """A Motion to the finished float frame, against one warp of an array of that size."""
    for name, poses in (
        ("a clip", clip_poses(stage, clip, 8)),
        ("random poses", random_poses(stage.model.space, 8)),
    ):
        motions = [stage.motion(pose) for pose in poses]
        yield _against_remap(f"ResWarp to 4K, {name}", stage.reswarp, motions)
    yield _against_remap("ResWarp to 4K, noise everywhere", *_noise())


def _against_remap(name: str, reswarp: ResWarp, motions: list[Motion]) -> Row:
    width, height = SIZE
    source = np.random.default_rng(0).random((height, width, 4), np.float32)
    out, warped = np.empty_like(source), np.empty_like(source)
    flow = cv2.resize(motions[0].flow, (width, height)) * (max(SIZE) / 2)
    x = np.ascontiguousarray(flow[..., 0] + np.arange(width, dtype=np.float32))
    y = np.ascontiguousarray(flow[..., 1] + np.arange(height, dtype=np.float32)[:, None])
    frames = cycle(motions)

    def remap() -> None:
        cv2.setNumThreads(worker_count())
        cv2.remap(source, x, y, cv2.INTER_LINEAR, dst=warped, borderMode=cv2.BORDER_REPLICATE)
        cv2.setNumThreads(1)

    return paired(name, lambda: reswarp.frame(next(frames), out), "cv2.remap", remap, FRAMES, target="<= 2")


def _noise() -> tuple[ResWarp, list[Motion]]:
    """The hardest content: an opaque picture of noise that fills the frame, smooth flows, some new content."""
    (width, height), side = SIZE, 512
    random = np.random.default_rng(0)
    source = random.random((height, width, 4), np.float32)
    source[..., 3] = 1
    square_to_frame = np.array([[width / 2, 0, width / 2], [0, width / 2, height / 2]])
    rest = square_picture(source, Framing.of_square(0, (height - width) / 2, width), side)
    painted = np.zeros((side, side, 1), np.float32)
    painted[200:240, 220:290] = 1
    motions = []
    for _ in range(4):
        flow = cv2.GaussianBlur(random.standard_normal((side, side, 2)).astype(np.float32), (0, 0), 20)
        flow *= 0.1 / np.abs(flow).max()
        motions.append(Motion(warp_by_flow(rest, flow), flow, painted))
    return ResWarp(source, square_to_frame, rest), motions


def encoding_row(stage: Stage) -> Row:
    frame = stage.frame(random_poses(stage.model.space, 1)[0])
    level1 = to_srgb8(frame).tobytes()[: 8 << 20]
    return paired(
        "a 4K frame to 8-bit sRGB, straight alpha", lambda: to_srgb8(frame),
        "zlib level 1 of 8 MiB of it", lambda: zlib.compress(level1, 1), 5,
    )  # fmt: skip


def devices() -> str:
    """What the figures were measured on."""
    return f"{worker_count()} CPU threads" + (", CUDA" if cuda_available() else ", no CUDA device")
