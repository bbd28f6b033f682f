# SPDX-License-Identifier: GPL-3.0-or-later
"""How HFWB learns (papers: HFWB, sections IV-D and V-A): its stages one after another, each by eq. 10.

A stage learns on what the stages before it answer, which do not learn any more. The face stage looks at pictures
whose head is at rest, as AniTalk-2K's expression subset shows them; of the others it sees the rest picture, which it
is to leave as it is.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from keywarp.core.models.blocks import to_linear, to_network, warp
from keywarp.core.models.hfwb.answer import painted
from keywarp.core.models.hfwb.networks import Critic, Hfwb
from keywarp.core.models.hfwb.settings import GRID, MASK, Settings, head_columns
from keywarp.core.training.learner import Answer, Batch, Turn
from keywarp.core.training.losses import Perceptual, gradient_penalty, weighted_l1
from keywarp.core.training.recipe import Recipe
from keywarp.keyframes.spaces import space

CRITIC = "critic"
"""The network; the turn in which it learns to judge a stage is called after both."""
AT_REST = 1e-3
"""A head is at rest within this of its channels' values."""


class HfwbLearner:
    """See ``core.training.learner.Learner``."""

    def __init__(self, recipe: Recipe, perceptual: Perceptual) -> None:
        self.settings = s = Settings.of(recipe)
        self._weights, self._perceptual = recipe.losses, perceptual
        self._rest = torch.from_numpy(space(recipe.space).rest()).float()
        self._head = head_columns(recipe.space)
        self.model = Hfwb(s, recipe.space, self._rest)
        self.critic = Critic(s.critic_width)
        stages = {name: getattr(self.model, name) for name in s.stages}
        self.networks = {**stages, CRITIC: self.critic}
        self.kept = tuple(stages)
        self.turns = tuple(turn for stage in s.stages for turn in self._turns(stage))

    def _turns(self, stage: str) -> tuple[Turn, ...]:
        """A stage's own phase of the recipe has its name."""
        learns = Turn(stage, (stage,), phases=(stage,))
        if stage == GRID or not self._weight("adversarial"):
            return (learns,)
        return Turn(f"{stage}_{CRITIC}", (CRITIC,), phases=(stage,)), learns

    def _weight(self, loss: str) -> float:
        return float(self._weights.get(loss, 0.0))

    def losses(self, turn: str, batch: Batch) -> dict[str, Tensor]:
        self.model.to(batch.pose.device)  # the rest pose is of no network alone
        stage = turn.removesuffix(f"_{CRITIC}")
        if stage == MASK:
            batch = self._heads_at_rest(batch)
        if turn != stage:
            with torch.no_grad():
                fake = self._drawn(stage, batch)
            return self._judged(stage, to_network(batch.posed), fake, batch.paired)
        return self._grid(batch) if stage == GRID else self._drawing(stage, batch)

    def _heads_at_rest(self, batch: Batch) -> Batch:
        """Examples whose head is turned become the rest picture in the rest pose."""
        rest = self._rest.to(batch.pose.device)
        turned = ((batch.pose - rest)[:, self._head].abs() > AT_REST).any(1)
        return replace(
            batch,
            posed=torch.where(turned[:, None, None, None], batch.rest, batch.posed),
            pose=torch.where(turned[:, None], rest.expand_as(batch.pose), batch.pose),
        )

    def _drawn(self, stage: str, batch: Batch) -> Tensor:
        """A stage's picture, from the answers of those before it."""
        picture = to_network(batch.rest)
        if stage == MASK:
            return self.model.face(picture, batch.pose)[0]
        with torch.no_grad():
            face = self.model.face(picture, batch.pose)[0]
            flow = self.model.flow(face, batch.pose)
        return self.model.turned(face, flow, batch.pose)

    def _judged(self, stage: str, real: Tensor, fake: Tensor, paired: Tensor) -> dict[str, Tensor]:
        """Eq. 8 for the critic, whose sign is exchanged in the paper, with WGAN-GP's penalty."""
        distance = _mean(self.critic.realism(fake) - self.critic.realism(real), paired)
        penalty = self.settings.penalty * gradient_penalty(self.critic.realism, real, fake)
        weight = self._weight("adversarial")
        return {f"{stage}_critic": weight * distance, f"{stage}_penalty": weight * penalty}

    def _drawing(self, stage: str, batch: Batch) -> dict[str, Tensor]:
        """Eqs. 6 to 8 for a stage that draws."""
        posed, image = to_network(batch.posed), self._drawn(stage, batch)
        weight = self._regions(batch) * batch.paired.float()[:, None, None, None]
        terms = {
            "content": weighted_l1(image, posed, weight),
            "perceptual": self._perceptual(image, posed, weight),
            "adversarial": -_mean(self.critic.realism(image), batch.paired),
        }
        return self._weighed(stage, terms)

    def _grid(self, batch: Batch) -> dict[str, Tensor]:
        """Eqs. 6, 7 and 9, of the picture that the grid warps; where the data has the true flow, that too."""
        posed = to_network(batch.posed)
        with torch.no_grad():
            face = self.model.face(to_network(batch.rest), batch.pose)[0]
        flow = self.model.flow(face, batch.pose)
        warped = warp(face, flow)
        weight = self._regions(batch) * batch.visible * batch.paired.float()[:, None, None, None]
        known = batch.has_flow[:, None, None, None].float() * batch.visible * batch.posed[:, 3:]
        terms = {
            "content": weighted_l1(warped, posed, weight),
            "perceptual": self._perceptual(warped, posed, weight),
            "offset": flow.abs().mean(),
            "flow": weighted_l1(flow, batch.flow, known),
        }
        return self._weighed(GRID, terms)

    def _regions(self, batch: Batch) -> Tensor:
        parts = torch.maximum(batch.region("eyes"), batch.region("mouth"))
        return 1 + (self.settings.region_weight - 1) * parts

    def _weighed(self, stage: str, terms: dict[str, Tensor]) -> dict[str, Tensor]:
        """By the recipe's weights; a term of weight 0 is left out."""
        return {f"{stage}_{name}": self._weight(name) * x for name, x in terms.items() if self._weight(name)}

    @torch.no_grad()
    def answer(self, batch: Batch) -> Answer:
        self.model.to(batch.pose.device)
        picture = to_network(batch.rest)
        out = self.model(picture, batch.pose)
        return Answer(
            to_linear(out["image"].float()),
            out["flow"],
            painted(picture, out["face"], out["flow"]),
            to_linear(out["warped"].float()),
        )


def _mean(values: Tensor, paired: Tensor) -> Tensor:
    """Over the examples that have a rest picture."""
    return (values * paired).sum() / paired.sum().clamp(min=1)
