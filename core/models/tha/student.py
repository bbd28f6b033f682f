# SPDX-License-Identifier: GPL-3.0-or-later
"""The THA4 student as an Animator (papers: Talking Head Anime 4, section 4.1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from keywarp.core.framing import Framing
from keywarp.core.models.base import ModelInfo, Window
from keywarp.core.models.tha import student_layout as layout
from keywarp.core.models.tha.cover import (
    FINE_TILE,
    MIDDLE_TILE,
    Cover,
    Pixels,
    Plan,
    Tile,
    find_cover,
)
from keywarp.core.motion import FloatImage, Motion
from keywarp.core.newness import newness
from keywarp.core.opencv import cv2
from keywarp.core.picture import Picture
from keywarp.core.resample import identity_map, square_picture
from keywarp.core.runtime.session import in_parallel
from keywarp.core.runtime.sines import SineRunner
from keywarp.keyframes.channels import Poses
from keywarp.keyframes.spaces import space

BAND = 64
"""Rows whose images are formed together."""
FACE_CHUNK = 1024
"""Pixels of the face morpher's square that are computed together."""


@lru_cache(maxsize=4096)
def places(left: int, top: int, width: int, height: int, side: int) -> FloatImage:
    """(height * width, 2): centres (x, y) of pixels of a field ``side`` wide, in [-1, 1] (align_corners
    False)."""
    x = (2 * np.arange(left, left + width) + 1) / side - 1
    y = (2 * np.arange(top, top + height) + 1) / side - 1
    return np.stack(np.meshgrid(x, y), -1).reshape(-1, 2).astype(np.float32)


@dataclass
class StudentState:
    """One character's picture and working memory; for one caller at a time."""

    rest: FloatImage
    """(512, 512, 4): the picture with its face morphed, [0, 1]."""
    rest_face: FloatImage
    """(128, 128, 4): what the face morpher answers to the rest pose, [0, 1]."""
    cover: Cover
    face_pose: FloatImage | None = None
    coarse_field: FloatImage = field(default_factory=lambda: _field(0))
    middle_field: FloatImage = field(default_factory=lambda: _field(1))
    raw: FloatImage = field(default_factory=lambda: np.zeros((layout.SIDE, layout.SIDE, 7), np.float32))
    """What the last substep answers (see ``fine_network``); 0 where nothing is computed."""
    face_newness: FloatImage = field(default_factory=lambda: np.zeros((layout.SIDE,) * 2, np.float32))
    """How far each pixel of ``rest`` shows something else than the rest face."""
    plans: dict[Window | None, Plan] = field(default_factory=dict)

    def plan(self, window: Window | None) -> Plan:
        """The tiles to compute for a window; that of the last one is kept."""
        if window not in self.plans:
            self.plans = {window: self.cover.plan(window)}
            self.raw[:] = 0  # what other tiles have left behind
        return self.plans[window]


def _field(level: int) -> FloatImage:
    """Room for a level's answers: a ring around the field, and tiles that reach beyond its right border."""
    side, width = layout.LEVELS[level][0], layout.LEVELS[level + 1][1]
    return np.zeros((side + 2, side + 2 + MIDDLE_TILE, width), np.float32)


class StudentAnimator:
    """Runs the four graphs of ``student_graph`` tile by tile, only where some pose shows something."""

    def __init__(self, info: ModelInfo, folder: Path) -> None:
        self._info = info
        names = ("face", "coarse", "middle", "fine")
        self._face, self._coarse, self._middle, self._fine = (SineRunner(folder, name) for name in names)
        side = layout.FACE_SIDE
        self._face_places = np.split(places(0, 0, side, side, side), side * side // FACE_CHUNK)
        #: How the place's part of a level's first layer grows by one pixel of the level below, (2, channels).
        self._step_middle, self._step_fine = self._steps(folder)

    @staticmethod
    def _steps(folder: Path) -> tuple[FloatImage, FloatImage]:
        with np.load(folder / "steps.npz", allow_pickle=False) as steps:
            return steps["middle"], steps["fine"]

    @property
    def info(self) -> ModelInfo:
        return self._info

    def prepare(self, picture: Picture, framing: Framing) -> StudentState:
        """The picture in the student's square; the picture should be the one that it was trained on."""
        square = square_picture(picture, framing, layout.SIDE)
        state = StudentState(square.copy(), np.empty(0, np.float32), Cover.everything())
        rest_pose = space(self._info.space).rest().astype(np.float32)
        state.rest_face = self._morphed_face(rest_pose[: layout.FACE_CHANNELS])

        def answer(pose: Poses, cover: Cover) -> FloatImage:
            state.cover, state.plans = cover, {}
            return self.motion(state, pose).image

        state.cover = find_cover(self._info.content, square, answer)
        state.face_pose, state.plans = None, {}
        return state

    def motion(self, state: StudentState, pose: Poses, window: Window | None = None) -> Motion:
        """See ``Animator.motion``. Where no pose ever shows anything stands the picture, still; on the rim of that
        area ``painted`` is 1, so that no detail is carried along by the flow's end."""
        row = np.asarray(pose, np.float32).reshape(1, layout.POSE_CHANNELS)
        self._morph_face(state, row[0, : layout.FACE_CHANNELS])
        plan = state.plan(window)
        self._body(state, row, plan)
        return formed(state, plan)

    # The face morpher

    def _morphed_face(self, pose: FloatImage) -> FloatImage:
        """(128, 128, 4) in [0, 1], for a pose of 39 channels."""
        one = np.ascontiguousarray(pose.reshape(1, -1), np.float32)
        chunks = in_parallel(
            lambda place: self._face.run({"place": place, "pose": one})[0].copy(), self._face_places
        )
        face = np.concatenate(chunks).reshape(layout.FACE_SIDE, layout.FACE_SIDE, 4)
        return face * np.float32(0.5) + np.float32(0.5)

    def _morph_face(self, state: StudentState, pose: FloatImage) -> None:
        if state.face_pose is not None and np.array_equal(state.face_pose, pose):
            return
        face = self._morphed_face(pose)
        top, left, side = layout.FACE_TOP, layout.FACE_LEFT, layout.FACE_SIDE
        square = slice(top, top + side), slice(left, left + side)
        state.rest[square] = face
        # A student redraws its face on every frame; only what differs from its own rest face is new.
        state.face_newness[square] = newness(face, state.rest_face)
        state.face_pose = pose.copy()

    # The body rotator

    def _body(
        self,
        state: StudentState,
        pose: FloatImage,
        plan: Plan,
    ) -> None:
        side = layout.LEVELS[0][0]
        everywhere = places(0, 0, side, side, side)

        def coarse(pixels: Pixels) -> None:
            rows, columns = pixels
            place = everywhere[rows * side + columns]
            feed = {"first_place": place, "first_pose": pose, "place": place, "pose": pose}
            state.coarse_field[1 + rows, 1 + columns] = self._coarse.run(feed)[0]

        def middle(tile: Tile) -> None:
            place = places(*tile, MIDDLE_TILE, MIDDLE_TILE, layout.LEVELS[1][0])
            feed = {"below": _with_ring(state.coarse_field, tile, MIDDLE_TILE), "place": place, "pose": pose}
            z = self._middle.run(feed)[0]
            _inner(state.middle_field, tile, MIDDLE_TILE)[:] = z.reshape(MIDDLE_TILE, MIDDLE_TILE, -1)

        def fine(tile: Tile) -> None:
            left, top = tile
            raw = self._fine.run({"below": _with_ring(state.middle_field, tile, FINE_TILE)})[0]
            inside = state.raw[top : top + FINE_TILE, left : left + FINE_TILE]
            inside[:] = raw.reshape(FINE_TILE, FINE_TILE, 7)[:, : inside.shape[1]]

        in_parallel(coarse, plan.coarse)
        _fill_ring(state.coarse_field, self._step_middle)
        in_parallel(middle, plan.middle)
        _fill_ring(state.middle_field, self._step_fine)
        in_parallel(fine, plan.fine)


def formed(state: StudentState, plan: Plan) -> Motion:
    """Image formation (papers: THA4, section 4.1): the picture warped by the flow and a directly drawn one, blended
    by an alpha map. The drawn one is new content where the result differs from the warped picture."""
    side = layout.SIDE
    image, painted = np.empty((side, side, 4), np.float32), np.empty((side, side, 1), np.float32)
    warped, own = np.empty_like(image), identity_map(side, side)
    flow = np.ascontiguousarray(state.raw[..., :2])

    def band(top: int) -> None:
        rows = slice(top, top + BAND)
        where = flow[rows] * np.float32(side / 2) + own[rows]
        for source, target in ((state.rest, warped), (state.face_newness, painted)):
            moved = cv2.remap(source, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            target[rows] = moved.reshape(target[rows].shape)
        alpha, drawn = state.raw[rows, :, 2:3], state.raw[rows, :, 3:]
        np.clip(warped[rows] + alpha * (drawn - warped[rows]), 0, 1, out=image[rows])

    in_parallel(band, range(0, side, BAND))
    drawn = np.maximum(newness(image, warped)[..., None], plan.rim)
    return Motion(image, flow, np.maximum(painted, drawn))


def _inner(padded: FloatImage, tile: Tile, side: int) -> npt.NDArray[np.float32]:
    left, top = tile
    return padded[1 + top : 1 + top + side, 1 + left : 1 + left + side]


def _with_ring(padded: FloatImage, tile: Tile, side: int) -> FloatImage:
    """The part of the field below that a tile of ``side`` pixels is up-sampled from, with one pixel around."""
    left, top = tile[0] // 2, tile[1] // 2
    return np.ascontiguousarray(padded[top : top + side // 2 + 2, left : left + side // 2 + 2])


def _fill_ring(padded: FloatImage, step: FloatImage) -> None:
    """The ring outside a field: features repeat the border, the part that is linear in the place goes on.

    Up-sampling in the network clamps features at the border, but places are computed afresh on the finer
    field; going on linearly makes both exact.
    """
    last = padded.shape[0] - 2
    padded[:, 0] = padded[:, 1] - step[0]
    padded[:, last + 1] = padded[:, last] + step[0]
    padded[0] = padded[1] - step[1]
    padded[last + 1] = padded[last] + step[1]
