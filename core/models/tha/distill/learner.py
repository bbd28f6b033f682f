# SPDX-License-Identifier: GPL-3.0-or-later
"""How the student's two networks learn (papers: Talking Head Anime 4, section 4.2 and table 1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from keywarp.core.models.tha import student_layout as layout
from keywarp.core.models.tha.distill import bank
from keywarp.core.models.tha.distill.lessons import Lesson, Taught
from keywarp.core.models.tha.distill.settings import FACE, Settings
from keywarp.core.models.tha.distill.teacher import Teacher, network_picture
from keywarp.core.models.tha.student_parts import body_at, face_at
from keywarp.core.models.tha.student_torch import (
    BodyRotator,
    FaceMorpher,
    initialise,
    place_grid,
    sampled,
    with_face,
)
from keywarp.core.motion import FloatImage
from keywarp.core.training.learner import Turn
from keywarp.core.training.recipe import Recipe


class StudentLearner:
    """One of the two networks; see ``core.training.learner.Learning``.

    The body rotator learns on the teacher's morphed face, on which the paper is silent: the two networks then
    do not wait for each other.
    """

    def __init__(self, recipe: Recipe, teacher: Teacher, movable: FloatImage) -> None:
        """``movable``: (128, 128) of 0 and 1, the face's movable parts."""
        self.settings = s = Settings.of(recipe)
        self._weights, self._teacher = recipe.losses, teacher
        self.network: FaceMorpher | BodyRotator = (
            FaceMorpher() if s.part == FACE else BodyRotator(layout.VARIANTS[s.variant])
        )
        initialise(self.network)
        self.networks: dict[str, nn.Module] = {s.part: self.network}
        self.kept = (s.part,)
        self.turns = (Turn(s.part, (s.part,)),)
        self._picture = network_picture(teacher.subject.square)
        self._movable = torch.from_numpy(movable)
        self._inside = torch.nonzero(self._movable.flatten()).flatten()

    def losses(self, turn: str, lesson: Lesson) -> dict[str, Tensor]:
        # Places, and sines of 30 times a sum, do not bear fewer digits.
        with torch.autocast(lesson.pose.device.type, enabled=False):
            taught = lesson if isinstance(lesson, Taught) else self._asked(lesson.pose)
            terms = self._face(taught) if self.settings.part == FACE else self._body(taught)
        return {name: self._weights.get(name, 0.0) * term for name, term in terms.items()}

    def _asked(self, pose: Tensor) -> Taught:
        truth = self._teacher.answer(pose)
        known = torch.ones_like(truth.image[:, :1]) if truth.known is None else truth.known
        parts = [truth.image, truth.flow, known, *([] if truth.drawn is None else [truth.drawn])]
        corners = torch.zeros(len(pose), 1, 2, dtype=torch.int64, device=pose.device)
        return Taught(pose, truth.face, corners, torch.cat(parts, 1))

    # The face morpher: the difference of the whole, and that of the movable parts, which weighs 20 times as much

    def _face(self, lesson: Taught) -> dict[str, Tensor]:
        assert isinstance(self.network, FaceMorpher)
        pose, movable = lesson.pose[:, : layout.FACE_CHANNELS], self._movable.to(lesson.pose.device)
        if self.settings.whole:
            difference = (self.network(pose) - lesson.face).abs()
            return {"whole": difference.mean(), "movable": (difference * movable).mean()}
        pixels = self._pixels(len(pose)).to(pose.device)
        answer = face_at(self.network, pose, pixels)
        truth = lesson.face.flatten(2).permute(0, 2, 1)
        difference = (answer - truth.gather(1, pixels[..., None].expand(-1, -1, 4))).abs().mean(-1)
        anywhere, inside = difference.tensor_split(2, 1)
        # Both are estimates of the means over the whole square.
        return {"whole": anywhere.mean(), "movable": inside.mean() * movable.mean()}

    def _pixels(self, count: int) -> Tensor:
        """(count, P): half of them anywhere, half where the face moves."""
        half = max(self.settings.pixels // 2, 1)
        anywhere = torch.randint(layout.FACE_SIDE**2, (count, half))
        if not len(self._inside):
            return torch.cat([anywhere, anywhere], 1)
        return torch.cat([anywhere, self._inside[torch.randint(len(self._inside), (count, half))]], 1)

    # The body rotator

    def _body(self, lesson: Taught) -> dict[str, Tensor]:
        assert isinstance(self.network, BodyRotator)
        picture = with_face(self._picture.to(lesson.pose.device), lesson.face)
        if self.settings.whole:
            out, places = self.network(picture, lesson.pose), place_grid(layout.SIDE, lesson.pose)
        else:
            raw, places = body_at(self.network, lesson.pose, lesson.corners, self.settings.tile)
            out = self.network.formed(raw, places, picture)
        image, flow, known = (lesson.planes[:, part] for part in (bank.IMAGE, bank.FLOW, bank.KNOWN))
        drawn = lesson.planes[:, bank.DRAWN] if lesson.planes.shape[1] == bank.DRAWN.stop else image
        terms = {"direct": (out["drawn"] - drawn).abs().mean(), "final": (out["image"] - image).abs().mean()}
        if self.network.variant.warps:
            warped = sampled(picture, places + flow)
            terms["flow"] = ((out["flow"] - flow).abs() * known).mean()
            terms["warp"] = ((out["warped"] - warped).abs() * known).mean()
        return terms
