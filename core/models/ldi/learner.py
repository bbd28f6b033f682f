# SPDX-License-Identifier: GPL-3.0-or-later
"""How the network learns: each pixel's fields beside those of the 3D character that the picture was taken of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from keywarp.core.layered import BODY, DEPTH, FIELDS, FIRST_SHAPE, HEAD, LEFT
from keywarp.core.models.blocks import to_network, warp
from keywarp.core.models.ldi.answer import BACKGROUND_DEPTH, DEPTH_UNIT, SHAPE_UNIT, layered_of
from keywarp.core.models.ldi.networks import RigNet
from keywarp.core.models.ldi.posing import Posing
from keywarp.core.models.ldi.settings import Settings
from keywarp.core.motion import FloatImage, Motion
from keywarp.core.training.learner import Answer, Batch, Turn
from keywarp.core.training.losses import Perceptual
from keywarp.core.training.recipe import Recipe
from keywarp.keyframes.errors import KeywarpError

LEARNING = "rig"
_MOVES = 0.002
"""Square units from which a shape counts as moving a pixel."""
_STILL = 0.1
"""Weight of the shapes where none moves anything."""
_COLOUR, _SEEN = slice(0, 4), 4


class LdiLearner:
    """See ``core.training.learner.Learner``."""

    kept: tuple[str, ...] = (LEARNING,)

    def __init__(self, recipe: Recipe, perceptual: Perceptual) -> None:
        self.settings = Settings.of(recipe)
        self._weights, self._space = recipe.losses, recipe.space
        self.rig = RigNet(self.settings)
        self.networks: dict[str, nn.Module] = {LEARNING: self.rig}
        self.turns: tuple[Turn, ...] = (Turn(LEARNING, (LEARNING,)),)

    def losses(self, turn: str, batch: Batch) -> dict[str, Tensor]:
        if not batch.layered.numel():
            raise KeywarpError(
                "these samples have no layers; photograph characters with `keywarp dataset render --layers`"
            )
        first, hidden = torch.split(batch.layered, FIELDS + 5, 1)
        out = self.rig(to_network(batch.rest))
        terms = self._visible(
            out["fields"].float(), first[:, _SEEN + 1 :], first[:, _SEEN : _SEEN + 1], batch.rest
        )
        terms |= self._hidden(out["fields"].float(), first, hidden)
        terms["joints"] = (out["joints"].float() - batch.joints.flatten(1)).abs().mean()
        return {name: float(self._weights.get(name, 0.0)) * term for name, term in terms.items()}

    def _visible(self, said: Tensor, fields: Tensor, seen: Tensor, rest: Tensor) -> dict[str, Tensor]:
        """What is seen; a background stands still, far behind."""
        behind = (rest[:, 3:] > 0.5) & (seen < 0.5)
        weight = seen + _STILL * behind
        depth = fields[:, DEPTH : DEPTH + 1] + BACKGROUND_DEPTH * behind
        off = said[:, DEPTH : DEPTH + 1] - depth / DEPTH_UNIT
        bones = functional.binary_cross_entropy_with_logits(
            said[:, [BODY, HEAD]], fields[:, [BODY, HEAD]].clamp(0, 1), reduction="none"
        )
        offsets = fields[:, FIRST_SHAPE:]
        moved = (offsets.abs().amax(1, keepdim=True) > _MOVES).to(said.dtype)
        side = functional.binary_cross_entropy_with_logits(
            said[:, LEFT : LEFT + 1], fields[:, LEFT : LEFT + 1], reduction="none"
        )
        return {
            "depth": _mean(off.abs(), weight),
            "edges": _mean(off.diff(dim=3).abs(), weight[..., 1:] * weight[..., :-1])
            + _mean(off.diff(dim=2).abs(), weight[:, :, 1:] * weight[:, :, :-1]),
            "bones": _mean(bones.mean(1, keepdim=True), weight),
            "side": _mean(side, moved * seen),
            "shapes": self._shapes(said[:, FIRST_SHAPE:FIELDS], offsets, weight, moved),
        }

    def _shapes(self, said: Tensor, offsets: Tensor, weight: Tensor, moved: Tensor) -> Tensor:
        """Squared differences, each shape's for itself: a shape moves few pixels, and the median of its offsets over
        a face, which absolute differences would look for, is 0."""

        def pairs(x: Tensor) -> Tensor:
            return x.reshape(x.shape[0], -1, 2, *x.shape[2:])

        own = pairs(offsets).abs().amax(2) > _MOVES
        cared = weight * (_STILL + (1 - _STILL) * moved + self.settings.face_weight * own)
        wrong = pairs((said - offsets / SHAPE_UNIT).square()).sum(2)
        of_each: Tensor = (wrong * cared).sum((0, 2, 3)) / cared.sum((0, 2, 3)).clamp(min=1e-6)
        return of_each.mean()

    def _hidden(self, said: Tensor, first: Tensor, hidden: Tensor) -> dict[str, Tensor]:
        """The inside of the mouth: where it is, what colour it has, and how far behind the lips it lies."""
        there = hidden[:, _SEEN : _SEEN + 1]
        seen = first[:, _SEEN : _SEEN + 1]
        sure = functional.binary_cross_entropy_with_logits(
            said[:, FIELDS + 3 : FIELDS + 4], there, reduction="none"
        )
        colour = (
            (said[:, FIELDS : FIELDS + 3] - to_network(hidden[:, _COLOUR])[:, :3]).abs().mean(1, keepdim=True)
        )
        deep = (hidden[:, _SEEN + 1 + DEPTH] - first[:, _SEEN + 1 + DEPTH])[:, None] / SHAPE_UNIT
        depth = (said[:, FIELDS + 4 : FIELDS + 5] - deep).abs()
        term = _mean(sure, seen * (1 + 10 * there)) + _mean(colour, there) + 0.3 * _mean(depth, there)
        return {"inside": term}

    @torch.no_grad()
    def answer(self, batch: Batch) -> Answer:
        out = self.rig(to_network(batch.rest))
        found: list[Motion] = []
        for rest, fields, joints, pose in zip(
            batch.rest, out["fields"].float(), out["joints"].float(), batch.pose, strict=True
        ):
            layered = layered_of(_pixels(rest), _pixels(fields), joints.cpu().numpy())
            found.append(Posing(layered, self._space).motion(pose.cpu().numpy().astype(np.float64)))

        def planes(images: Sequence[FloatImage]) -> Tensor:
            return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).to(batch.rest.device)

        flow = planes([motion.flow for motion in found])
        return Answer(
            planes([motion.image for motion in found]),
            flow,
            planes([motion.painted for motion in found]),
            warp(batch.rest, flow),
        )


def _pixels(planes: Tensor) -> FloatImage:
    """(C, H, W) to (H, W, C)."""
    return np.ascontiguousarray(planes.permute(1, 2, 0).cpu().numpy())


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    return (values * weight).sum() / weight.sum().clamp(min=1e-6)
