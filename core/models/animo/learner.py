# SPDX-License-Identifier: GPL-3.0-or-later
"""How AniMo learns (papers: AnimeCeleb, section 3.2): pairs of both domains at once, first to warp, then to edit.

A batch holds both domains' examples in turn, where the data has both. The source of a pair is what its data has: of
drawn heads the rest picture (the authors take any other picture of the character), of clips another frame.
"""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import torch
from torch import Tensor, nn

from keywarp.core.models.animo.layout import DOMAINS, POSE
from keywarp.core.models.animo.losses import LossWeights, domain_losses, edge_features
from keywarp.core.models.animo.networks import AniMo, Answer, backward_map, resized_map
from keywarp.core.models.animo.pose_mapping import PoseMapping
from keywarp.core.models.animo.settings import MAPPING, SPACES, Settings, only_warps
from keywarp.core.models.blocks import identity_grid, in_full, warp
from keywarp.core.models.opaque_torch import new_content, off_backdrop, over_backdrop
from keywarp.core.training.learner import Answer as Answered
from keywarp.core.training.learner import Batch, Turn
from keywarp.core.training.losses import Perceptual, Vgg19
from keywarp.core.training.recipe import Recipe
from keywarp.keyframes.spaces import space

WARPING, EDITING = "warp", "edit"


class Mapped(nn.Module):
    """The pose mapping T, which is linear; it is kept with the weights, since they are worth nothing without it."""

    matrix: Tensor

    def __init__(self, mapping: PoseMapping) -> None:
        super().__init__()
        rows = mapping(np.eye(len(space(SPACES[0]))))
        self.register_buffer("matrix", torch.from_numpy(rows.astype(np.float32)))

    def forward(self, poses: Tensor) -> Tensor:
        """(N, 20) to (N, 70)."""
        with in_full(poses):
            return poses @ self.matrix


class AniMoLearner:
    """See ``core.training.learner.Learner``."""

    def __init__(self, recipe: Recipe, perceptual: Perceptual) -> None:
        self.settings = Settings.of(recipe)
        self._perceptual = perceptual
        self._features = perceptual.maps if isinstance(perceptual, Vgg19) else edge_features
        self.model, self.mapped = AniMo(self.settings.form), Mapped(self.settings.mapping)
        parts = dict(self.model.named_children())
        self.networks: dict[str, nn.Module] = {**parts, MAPPING: self.mapped}
        self.kept: tuple[str, ...] = tuple(self.networks)
        first = tuple(phase.name for phase in recipe.phases if only_warps(phase.name))
        then = tuple(phase.name for phase in recipe.phases if not only_warps(phase.name))
        warping = tuple(name for name in parts if not name.startswith("editing"))
        turns = (Turn(WARPING, warping, phases=first), Turn(EDITING, tuple(parts), phases=then))
        self.turns: tuple[Turn, ...] = tuple(turn for turn in turns if turn.phases)
        self._weights = LossWeights(
            **{f.name: float(recipe.losses.get(f.name, 0.0)) for f in fields(LossWeights)}
        )

    def losses(self, turn: str, batch: Batch) -> dict[str, Tensor]:
        self.model.train()
        terms: dict[str, Tensor] = {}
        for number, domain in enumerate(DOMAINS):
            mine = batch.domain == number
            if not mine.any():
                continue
            source, driving = (over_backdrop(x[mine]) * 2 - 1 for x in (batch.rest, batch.posed))
            terms |= domain_losses(
                self.model,
                domain,
                source,
                driving,
                self._pose(number, batch.pose[mine]),
                lambda image, wanted: self._perceptual(image, wanted, None),
                self._features,
                self._weights,
                editing=turn == EDITING,
                alphas=(batch.rest[mine, 3:], batch.posed[mine, 3:]),
            )
        return terms

    def _pose(self, domain: int, poses: Tensor) -> Tensor:
        """(N, 70): a domain's poses, which may be followed by zeros, as the motion network takes them."""
        own = poses[:, : len(space(SPACES[domain]))]
        return self.mapped(own) if domain == 0 else own[:, :POSE]

    @torch.no_grad()
    def answer(self, batch: Batch) -> Answered:
        self.model.eval()
        n, _, h, w = batch.rest.shape
        shapes = {"image": 4, "flow": 2, "painted": 1, "warped": 4}
        out = {name: torch.zeros(n, c, h, w, device=batch.rest.device) for name, c in shapes.items()}
        for number, domain in enumerate(DOMAINS):
            mine = batch.domain == number
            if mine.any():
                rest = batch.rest[mine]
                pose = self._pose(number, batch.pose[mine])
                found = self.model(over_backdrop(rest) * 2 - 1, pose, domain)
                for name, value in vars(_answered(rest, found)).items():
                    out[name][mine] = value
        return Answered(**out)


def _answered(rest: Tensor, found: Answer) -> Answered:
    h, w = rest.shape[2:]
    grid = resized_map(backward_map(found.flow.float()), h, w).permute(0, 3, 1, 2)
    flow = grid - identity_grid(h, w, grid)
    warped = warp(rest, flow)
    image = off_backdrop(found.output.float() * 0.5 + 0.5, warped[:, 3:])
    return Answered(image, flow, new_content(image, warped), warped)
