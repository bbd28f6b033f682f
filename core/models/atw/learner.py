# SPDX-License-Identifier: GPL-3.0-or-later
"""How ATW learns (papers: ATW, section 3.3): Algorithm 1 with the losses of eqs. 1 to 10, and the paired option.

Two slips of the paper are read as what WGAN-GP, which it follows, does: eq. 1 has the sign of the critic's terms
exchanged, and lambda_rec is the weight of the cycle loss.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from keywarp.core.models.atw.networks import Discriminator, Generator
from keywarp.core.models.atw.settings import Settings
from keywarp.core.models.blocks import to_linear, to_network
from keywarp.core.training.learner import Answer, Batch, Turn
from keywarp.core.training.losses import Perceptual, gradient_penalty, weighted_l1
from keywarp.core.training.recipe import Recipe
from keywarp.keyframes.spaces import space

CRITICS, GENERATOR = "critics", "generator"


class AtwLearner:
    """See ``core.training.learner.Learner``."""

    kept: tuple[str, ...] = ("generator",)

    def __init__(self, recipe: Recipe, perceptual: Perceptual) -> None:
        self.settings = s = Settings.of(recipe)
        self._weights, self._perceptual = recipe.losses, perceptual
        poses = len(space(recipe.space))
        outputs = poses + 1 if s.categories else poses
        self.generator = Generator(s, recipe.space)
        self.d_r = Discriminator(s, recipe.side, outputs, adversarial=True)
        self.d_w = Discriminator(s, recipe.side, outputs, adversarial=False)
        self._rest = torch.from_numpy(space(recipe.space).rest()).float()
        self.networks: dict[str, nn.Module] = {"generator": self.generator, "d_r": self.d_r, "d_w": self.d_w}
        critics = tuple(
            name
            for name, needed in (("d_r", ("adversarial", "driving")), ("d_w", ("warp",)))
            if any(self._weight(loss) for loss in needed)
        )
        learn = Turn(GENERATOR, ("generator",))
        self.turns: tuple[Turn, ...] = (
            (Turn(CRITICS, critics, s.critic_steps), learn) if critics else (learn,)
        )

    def _weight(self, loss: str) -> float:
        return float(self._weights.get(loss, 0.0))

    def losses(self, turn: str, batch: Batch) -> dict[str, Tensor]:
        if self.settings.paired:
            batch = self._with_rest(batch)
            source, own, wanted = to_network(batch.rest), self._at_rest(batch), batch.pose
        else:
            source, own = to_network(batch.posed), batch.pose
            wanted = batch.pose[torch.randperm(len(batch), device=batch.pose.device)]
        if turn == CRITICS:
            return self._critics(to_network(batch.posed), batch.pose, source, wanted)
        return self._generator(batch, source, own, wanted)

    def _at_rest(self, batch: Batch) -> Tensor:
        return self._rest.to(batch.pose.device).expand_as(batch.pose)

    def _with_rest(self, batch: Batch) -> Batch:
        """Some examples become the rest picture in the rest pose, which must stay as it is."""
        still = (torch.rand(len(batch), device=batch.pose.device) < self.settings.rest_share) & batch.paired
        plane = still[:, None, None, None]
        return replace(
            batch,
            posed=torch.where(plane, batch.rest, batch.posed),
            pose=torch.where(still[:, None], self._at_rest(batch), batch.pose),
            flow=torch.where(plane, torch.zeros_like(batch.flow), batch.flow),
            visible=torch.where(plane, torch.ones_like(batch.visible), batch.visible),
        )

    # The discriminators

    def _critics(self, real: Tensor, own: Tensor, source: Tensor, wanted: Tensor) -> dict[str, Tensor]:
        """Eqs. 1 to 4."""
        terms: dict[str, Tensor] = {}
        if self.turns[0].networks[0] == "d_r":
            with torch.no_grad():
                fake = self.generator(source, wanted)["image"]
            seen, signal = self.d_r(real)
            if self._weight("adversarial"):
                distance = self.d_r.realism(fake).mean() - seen.mean()
                penalty = self.settings.penalty * gradient_penalty(self.d_r.realism, real, fake)
                terms["critic"] = self._weight("adversarial") * distance
                terms["penalty"] = self._weight("adversarial") * penalty
            if self._weight("driving"):
                terms["critic_driving"] = self._weight("driving") * self._disparity(own, signal)
        if self._weight("warp"):
            terms["critic_warp"] = self._weight("warp") * self._disparity(own, self.d_w(real)[1])
        return terms

    def _disparity(self, wanted: Tensor, logits: Tensor) -> Tensor:
        """D of eqs. 2, 4, 7 and 8: cross entropy for categories, else the mean squared error."""
        scaled = wanted * self.generator.scale
        if not self.settings.categories:
            return functional.mse_loss(logits.float(), scaled)
        neutral = (1 - scaled.sum(1, keepdim=True)).clamp(min=0)
        shares = torch.cat([neutral, scaled], 1)
        return functional.cross_entropy(logits.float(), shares / shares.sum(1, keepdim=True))

    # The generator

    def _generator(self, batch: Batch, source: Tensor, own: Tensor, wanted: Tensor) -> dict[str, Tensor]:
        """Eq. 10, and what pairs allow."""
        out = self.generator(source, wanted)
        terms: dict[str, Tensor] = {}
        if self._weight("adversarial"):
            terms["adversarial"] = -self.d_r.realism(out["image"]).mean()
        if self._weight("driving"):
            terms["driving"] = self._disparity(wanted, self.d_r(out["image"])[1])
        if self._weight("warp"):
            terms["warp"] = self._disparity(wanted, self.d_w(out["warped"])[1])
        if self._weight("refine"):
            terms["refine"] = out["change"].abs().mean()
        if self._weight("cycle"):
            terms["cycle"] = (self.generator(out["image"], own)["image"] - source).abs().mean()
        if self.settings.paired:
            terms.update(self._paired(batch, out))
        return {name: self._weight(name) * term for name, term in terms.items()}

    def _paired(self, batch: Batch, out: dict[str, Tensor]) -> dict[str, Tensor]:
        """Against the posed picture, its true flow and its visibility."""
        posed = to_network(batch.posed)
        parts = torch.maximum(batch.region("eyes"), batch.region("mouth"))
        weight = 1 + (self.settings.region_weight - 1) * parts
        terms = {}
        if self._weight("image"):
            terms["image"] = weighted_l1(out["image"], posed, weight)
        if self._weight("warped"):
            terms["warped"] = weighted_l1(out["warped"], posed, weight * batch.visible)
        if self._weight("detail"):
            terms["detail"] = self._perceptual(out["image"], posed, weight)
        known = batch.has_flow[:, None, None, None].to(posed.dtype)
        if self._weight("flow"):
            seen = weight * batch.visible * batch.posed[:, 3:] * known
            # What is still and empty must not drift either, or the edges of the flow would.
            terms["flow"] = weighted_l1(
                out["flow"], batch.flow, seen + 0.1 * (1 - batch.posed[:, 3:]) * known
            )
        if self._weight("painted"):
            new = functional.binary_cross_entropy_with_logits(
                out["painted"].float(), (1 - batch.visible).clamp(0, 1), reduction="none"
            )
            terms["painted"] = (new * weight * known).sum() / (weight * known).sum().clamp(min=1e-6)
        return terms

    @torch.no_grad()
    def answer(self, batch: Batch) -> Answer:
        g = self.generator
        out = (g.interpolated if self.settings.categories else g)(to_network(batch.rest), batch.pose)
        return Answer(
            to_linear(out["image"].float()),
            out["flow"],
            out["painted"].float().sigmoid(),
            to_linear(out["warped"].float()),
        )
