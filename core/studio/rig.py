# SPDX-License-Identifier: GPL-3.0-or-later
"""Which bones of a figure turn its head, body, eyes and arms, and where its vertices go when they do.

Rotations are about the axes of ``Figure`` through a bone's head, whatever axes the file gave the bone; a bone
carries its children. Skinning is linear, as MikuMikuDance's and glTF's is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from keywarp.core.studio.figure import Figure, Floats, ordered_bones
from keywarp.keyframes.errors import KeywarpError

#: (3, 3) float64, on column vectors.
Rotation = npt.NDArray[np.float64]

_NAMES: Mapping[str, tuple[str, ...]] = {
    "head": ("頭", "head"),
    "neck": ("首", "neck", "neck1"),
    "spine": ("上半身", "spine", "spine1"),
    "chest": ("上半身2", "chest", "spine2"),
    "upperchest": ("上半身3", "upperchest", "spine3"),
    "lefteye": ("左目", "lefteye", "eyel", "leye", "eyeleft", "faceeyel", "lfaceeye"),
    "righteye": ("右目", "righteye", "eyer", "reye", "eyeright", "faceeyer", "rfaceeye"),
    "leftupperarm": ("左腕", "leftupperarm", "upperarml", "lupperarm", "leftarm", "arml"),
    "rightupperarm": ("右腕", "rightupperarm", "upperarmr", "rupperarm", "rightarm", "armr"),
    "leftlowerarm": ("左ひじ", "leftlowerarm", "lowerarml", "llowerarm", "leftforearm", "forearml"),
    "rightlowerarm": ("右ひじ", "rightlowerarm", "lowerarmr", "rlowerarm", "rightforearm", "forearmr"),
}
"""VRM's bone in lower case to its names in MikuMikuDance, Blender, VRoid Studio and Mixamo, folded."""
_PREFIX = re.compile(r"^(jbip|jadj|mixamorig|bip01|bip001|def|org|valvebiped)")
_ARM_BELOW = 58.0
"""Degrees below level to which arms are lowered, so that a T pose does not cross the picture."""
SPINE = ("spine", "chest", "upperchest")


def bone_roles(figure: Figure) -> dict[str, int]:
    """VRM's bone names, in lower case, to the figure's bones: as the file says, else by their names."""
    folded = {_folded(name): bone for bone, name in reversed(list(enumerate(figure.bone_names)))}
    found = dict(figure.bone_roles)
    for role, names in _NAMES.items():
        if role not in found:
            bone = next((folded[name] for name in names if name in folded), None)
            found |= {} if bone is None else {role: bone}
    return found


def _folded(name: str) -> str:
    """A bone's name without what programs put around it; the centre's ``c`` of VRoid Studio goes too."""
    plain = re.sub(r"[\s_.:\-]", "", name.casefold())
    plain = _PREFIX.sub("", plain)
    return plain[1:] if re.fullmatch(r"c(head|neck|spine|chest|upperchest)", plain) else plain


def rotation(pitch: float, yaw: float, roll: float) -> Rotation:
    """Degrees with the signs of tha45's head_x, head_y and neck_z: ``Ry(yaw) Rx(pitch) Rz(roll)``."""
    (sx, sy, sz), (cx, cy, cz) = (f(np.radians([pitch, yaw, roll])) for f in (np.sin, np.cos))
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.asarray(about_y @ about_x @ about_z)


def part_of(whole: Rotation, share: float) -> Rotation:
    """The rotation about the same axis by a share of its angle (Rodrigues' formula)."""
    axis = np.array([whole[2, 1] - whole[1, 2], whole[0, 2] - whole[2, 0], whole[1, 0] - whole[0, 1]])
    sine = np.linalg.norm(axis) / 2
    if sine < 1e-12:
        return np.eye(3)
    angle = share * np.arctan2(sine, (np.trace(whole) - 1) / 2)
    x, y, z = axis / (2 * sine)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross)


@dataclass(frozen=True)
class BonePose:
    """How far bones are turned from rest, in degrees with tha45's signs: pitch, yaw, roll."""

    head: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Of head and neck together, half in each."""
    body: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Of the spine, shared among its bones."""
    eyes: tuple[float, float] = (0.0, 0.0)
    """Pitch and yaw of both eyes."""


AT_REST = BonePose()


@dataclass(frozen=True)
class Rig:
    """A figure's bones, ready to be posed."""

    figure: Figure
    roles: Mapping[str, int]

    @classmethod
    def of(cls, figure: Figure) -> Rig:
        """Raises ``KeywarpError`` where the figure has neither a neck nor a head that could be turned."""
        roles = bone_roles(figure)
        if "head" not in roles and "neck" not in roles:
            raise KeywarpError(
                f"{figure.name}: none of its {len(figure.bone_names)} bones is called head or neck"
                " (頭, 首), so that its head cannot be turned"
            )
        return cls(figure, roles)

    @property
    def has_eyes(self) -> bool:
        """Whether bones turn the eyes."""
        return all(
            side in self.roles and self.figure.weights[self.figure.influences == self.roles[side]].any()
            for side in ("lefteye", "righteye")
        )

    def posed(self, positions: Floats, normals: Floats, pose: BonePose = AT_REST) -> tuple[Floats, Floats]:
        """Where (morphed) vertices, (V, 3), and their normals go."""
        frames, shares = self._frames(pose), self._shares
        # Float32 products of small matrices: a vertex's own blend of the few frames that there are.
        blend = (shares @ frames.reshape(len(frames), 12).astype(np.float32)).reshape(-1, 3, 4)
        moved = np.einsum("vij,vj->vi", blend[..., :3], positions) + blend[..., 3]
        turned = np.einsum("vij,vj->vi", blend[..., :3], normals)
        length = np.maximum(np.linalg.norm(turned, axis=1, keepdims=True), 1e-9)
        return moved.astype(np.float32), (turned / length).astype(np.float32)

    def follows(self) -> tuple[Floats, Floats]:
        """How far each vertex, (V,), follows the turns of the body, and of the head: 1 as the chain's last bone."""
        roles, shares = list(self._moving), self._shares
        body, head = np.zeros(len(shares), np.float32), np.zeros(len(shares), np.float32)
        spine = [role for role in SPINE if role in roles]
        neck = [role for role in ("neck", "head") if role in roles]
        for column, role in enumerate(roles, 1):
            body += shares[:, column] * ((spine.index(role) + 1) / len(spine) if role in spine else 1.0)
            if role in neck:
                head += shares[:, column] * (neck.index(role) + 1) / len(neck)
            elif role.endswith("eye"):
                head += shares[:, column]
        return body, head

    @cached_property
    def _moving(self) -> dict[str, int]:
        wanted = (*SPINE, "neck", "head", "lefteye", "righteye", "leftupperarm", "rightupperarm")
        return {role: self.roles[role] for role in wanted if role in self.roles}

    @cached_property
    def order(self) -> Sequence[int]:
        """Every bone, parents before children."""
        return ordered_bones(self.figure.name, self.figure.bone_parents)

    @cached_property
    def _frame_of(self) -> npt.NDArray[np.int64]:
        """(B,): which of the moving bones carries a bone, counted from 1; 0: none."""
        carried = np.zeros(len(self.figure.bone_names), np.int64)
        own = {bone: i + 1 for i, bone in enumerate(self._moving.values())}
        for bone in self.order:
            parent = self.figure.bone_parents[bone]
            carried[bone] = own.get(bone, carried[parent] if parent >= 0 else 0)
        return carried

    @cached_property
    def _shares(self) -> Floats:
        """(V, 1 + moving bones): how much of each frame a vertex takes."""
        figure = self.figure
        shares = np.zeros((len(figure.positions), len(self._moving) + 1), np.float32)
        for column in range(figure.influences.shape[1]):
            which = self._frame_of[figure.influences[:, column]]
            np.add.at(shares, (np.arange(len(shares)), which), figure.weights[:, column])
        shares[shares.sum(1) == 0, 0] = 1.0
        return shares

    def _frames(self, pose: BonePose) -> npt.NDArray[np.float64]:
        """(1 + moving bones, 3, 4): where each carries its surroundings."""
        frames = np.zeros((len(self._moving) + 1, 3, 4))
        frames[0, :, :3] = np.eye(3)
        turns = self._turns(pose)
        place = {bone: i + 1 for i, bone in enumerate(self._moving.values())}
        role_of = {bone: role for role, bone in self._moving.items()}
        for bone in self.order:
            if bone not in place:
                continue
            parent = self.figure.bone_parents[bone]
            above = frames[self._frame_of[parent] if parent >= 0 else 0]
            turn = turns.get(role_of[bone], np.eye(3))
            pivot = self.figure.bone_heads[bone].astype(np.float64)
            own = np.concatenate([turn, (pivot - turn @ pivot)[:, None]], axis=1)
            frames[place[bone], :, :3] = above[:, :3] @ own[:, :3]
            frames[place[bone], :, 3] = above[:, :3] @ own[:, 3] + above[:, 3]
        return frames

    def _turns(self, pose: BonePose) -> dict[str, Rotation]:
        turns: dict[str, Rotation] = {}
        for chain, angles in ((("neck", "head"), pose.head), (SPINE, pose.body)):
            bones = [role for role in chain if role in self._moving]
            turns |= {role: part_of(rotation(*angles), 1 / len(bones)) for role in bones}
        for side in ("left", "right"):
            turns[f"{side}eye"] = rotation(*pose.eyes, 0.0)
            turns[f"{side}upperarm"] = self._lowered(side)
        return turns

    def _lowered(self, side: str) -> Rotation:
        upper, lower = self.roles.get(f"{side}upperarm"), self.roles.get(f"{side}lowerarm")
        if upper is None or lower is None:
            return np.eye(3)
        x, y, _ = (self.figure.bone_heads[lower] - self.figure.bone_heads[upper]).astype(np.float64)
        outward = 1.0 if side == "left" else -1.0
        below = np.degrees(np.arctan2(-y, x * outward))
        return rotation(0.0, 0.0, -outward * max(_ARM_BELOW - below, 0.0))
