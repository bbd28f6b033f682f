# SPDX-License-Identifier: GPL-3.0-or-later
"""A figure that strikes poses: channels of the pose spaces, put into morphs and bones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from keywarp.core.studio.annotate import Annotation, moved
from keywarp.core.studio.camera import Camera
from keywarp.core.studio.figure import Figure, Floats, Morph, cropped
from keywarp.core.studio.palette import STYLES
from keywarp.core.studio.photograph import Mask, Placed, Studio
from keywarp.core.studio.repaint import repainted
from keywarp.core.studio.rig import BonePose, Rig
from keywarp.keyframes.channels import Poses
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.mappings import convert
from keywarp.keyframes.mappings.bones import BoneSettings
from keywarp.keyframes.spaces import space

_DEGREES = BoneSettings()
HEAD: Mapping[str, tuple[tuple[str, float], ...]] = {
    "tha45": (
        ("head_x", _DEGREES.head_x_degrees),
        ("head_y", _DEGREES.head_y_degrees),
        ("neck_z", _DEGREES.neck_z_degrees),
    ),
    "animeceleb20": (("pitch", -1.0), ("yaw", -1.0), ("roll", 1.0)),
    "animeceleb20gaze": (("pitch", -1.0), ("yaw", -1.0), ("roll", 1.0)),
    "anitalk6": (("top_down_head", 20.0), ("left_right_head", 20.0), ("yaw_head", 20.0)),
}
"""By space, its channels of the head and what 1 of them is in degrees with tha45's signs: pitch, yaw, roll."""
SPACES = tuple(HEAD)
"""The pose spaces in which an actor can be posed."""
_GAZE_SHARE = 0.32
"""Share of an eye's opening by which its iris moves at most."""
_BREATH_DEGREES = 1.2
"""How far a full chest leans the spine back."""
_IN_VIEW = 1.35
"""How far beyond the picture's border, in half sides, surfaces are kept: a pose may bring them into it."""
_MOVES = 0.05
"""Share of a feature's largest offset from which a vertex counts as moved by it."""


@dataclass(frozen=True)
class Pose:
    """What an actor does; the rest pose of its file by default."""

    face: Mapping[str, float] = field(default_factory=dict)
    """Channels of tha45's face, 0..1."""
    bones: BonePose = field(default_factory=BonePose)
    """But for the eyes' own, which follow ``gaze``."""
    gaze: tuple[float, float] = (0.0, 0.0)
    """tha45's iris_rotation_x and _y: up, and towards the picture's left, -1..1."""


def read_pose(space_name: str, values: Poses) -> Pose:
    """A pose, (C,), of one of ``SPACES``; raises ``KeywarpError`` for another space."""
    if space_name not in HEAD:
        raise KeywarpError(f"3D characters are posed in {', '.join(SPACES)}, not in {space_name}")
    given, tha45 = space(space_name), space("tha45")
    full = dict(zip(tha45.names, convert(values, given, tha45), strict=True))
    # Not by way of tha45, which ends before the other spaces' 20 degrees.
    pitch, yaw, roll = (values[given.index(name)] * scale for name, scale in HEAD[space_name])
    breath = full["breathing"] * _BREATH_DEGREES
    turn, lean = full["body_y"] * _DEGREES.body_y_degrees, full["body_z"] * _DEGREES.body_z_degrees
    gaze = float(full["iris_rotation_x"]), float(full["iris_rotation_y"])
    face = {name: float(full[name]) for name in tha45.names if not _turns(name) and full[name]}
    bones = BonePose(
        (float(pitch), float(yaw), float(roll)),
        (float(breath), float(turn), float(lean)),
    )
    return Pose(face, bones, gaze)


def _turns(channel: str) -> bool:
    return channel.startswith(("head_", "neck_", "body_", "breathing", "iris_rotation"))


class Actor:
    """A figure before a camera, with its features at hand."""

    def __init__(self, figure: Figure, annotation: Annotation, framing: str = "head") -> None:
        """Raises ``KeywarpError`` where the figure has no head that could be turned or seen."""
        figure = repainted(figure, annotation)
        rig = Rig.of(figure)
        positions, _ = rig.posed(figure.positions, figure.normals)
        self.camera = Camera.of(rig, positions, framing)
        near = np.abs(positions[:, :2] - (self.camera.x, self.camera.y)).max(1) < _IN_VIEW * self.camera.half
        self.figure = cropped(figure, near[figure.triangles].any(1))
        self.annotation = annotation
        self.rig = Rig.of(self.figure)
        self._morphs = {channel: moved(self.figure, parts) for channel, parts in annotation.items()}
        self._eye_degrees = self._widest_gaze()

    def placed(self, pose: Pose | None = None) -> Placed:
        """Where its vertices and their normals are, (V, 3) each."""
        pose = pose or Pose()
        positions = self.figure.positions.copy()
        for channel, value in (*pose.face.items(), *self._gaze(pose)):
            morph = self._morphs.get(channel)
            if morph is not None and value:
                positions[morph.vertices] += np.float32(value) * morph.offsets
        up, left = (share * self._eye_degrees for share in pose.gaze)
        return self.rig.posed(positions, self.figure.normals, replace(pose.bones, eyes=(up, left)))

    def morph(self, channel: str) -> Morph | None:
        """What moves when a channel of tha45's face, or ``gaze_up`` and so on, is 1; ``None``: nothing."""
        return self._morphs.get(channel)

    def studio(self, side: int, style: str = "flat", rest: Pose | None = None) -> Studio:
        """Where it is photographed, ``side`` pixels wide; raises ``KeywarpError`` for an unknown style."""
        if style not in STYLES:
            raise KeywarpError(f"there is no style {style!r}; there are {', '.join(STYLES)}")
        return Studio(self.figure, self.camera, self.placed(rest), STYLES[style], side, self.regions())

    def regions(self) -> dict[str, Mask]:
        """By a name of ``sample.REGIONS``, and ``brows``, the triangles, (T,), that the true motion of its features
        says to belong to it; ``face``: everything that the face's features move."""
        eyes = self._moving("eye_", "iris_") | self._on_eyes()
        mouth, brows = self._moving("mouth_"), self._moving("eyebrow_")
        every = {"eyes": eyes, "mouth": mouth, "face": eyes | mouth | brows, "brows": brows}
        return {name: np.asarray(mask[self.figure.triangles].all(1)) for name, mask in every.items()}

    def _gaze(self, pose: Pose) -> Sequence[tuple[str, float]]:
        """The gaze as morphs, where no bones turn the eyes."""
        if self.rig.has_eyes:
            return ()
        up, left = pose.gaze
        vertical = ("gaze_up", up) if up > 0 else ("gaze_down", -up)
        return vertical, (("gaze_left", left) if left > 0 else ("gaze_right", -left))

    def _widest_gaze(self) -> float:
        """Degrees by which the eyes turn at most: as far as moves an iris by a share of the eye's opening.

        Authors put the bones of eyes at any depth, so that one angle means little on one character and takes the
        iris out of sight on another.
        """
        lid, eyes = self._morphs.get("eye_wink_left"), self._on_eyes()
        if lid is None or not len(lid.vertices) or not eyes.any() or not self.rig.has_eyes:
            return _DEGREES.eye_degrees
        opening = float(np.abs(lid.offsets[:, 1]).max())
        pivot = self.figure.bone_heads[self.rig.roles["lefteye"]]
        reach = float(pivot[2] - np.percentile(self.figure.positions[eyes, 2], 10))
        share = _GAZE_SHARE * opening / max(reach, 1e-9)
        return float(np.degrees(np.arcsin(min(share, np.sin(np.radians(_DEGREES.eye_degrees))))))

    def _moving(self, *prefixes: str) -> npt.NDArray[np.bool_]:
        moving = np.zeros(len(self.figure.positions), bool)
        for channel, morph in self._morphs.items():
            if channel.startswith(prefixes) and len(morph.vertices):
                moving[morph.vertices[_much(morph)]] = True
        return moving

    def _on_eyes(self) -> npt.NDArray[np.bool_]:
        figure = self.figure
        bones = [self.rig.roles[role] for role in ("lefteye", "righteye") if role in self.rig.roles]
        return np.asarray((figure.weights * np.isin(figure.influences, bones)).sum(1) > 0.5)


def _much(morph: Morph) -> npt.NDArray[np.bool_]:
    far: Floats = np.linalg.norm(morph.offsets, axis=1)
    return np.asarray(far > _MOVES * far.max())
