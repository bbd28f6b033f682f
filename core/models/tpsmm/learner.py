# SPDX-License-Identifier: GPL-3.0-or-later
"""How TPSMM learns: pairs of pictures of one somebody, the first of which is to become the second (papers: TPSMM,
section 3.3); afterwards the avd network, from the keypoints alone (section 3.4)."""

from __future__ import annotations

from dataclasses import fields

import torch
from torch import Tensor, nn
from torch.nn import functional

from keywarp.core.models.blocks import identity_grid, warp
from keywarp.core.models.opaque_torch import new_content, off_backdrop, over_backdrop
from keywarp.core.models.tpsmm.losses import LossWeights, avd_loss, generator_losses
from keywarp.core.models.tpsmm.networks import Tpsmm
from keywarp.core.models.tpsmm.settings import AVD, Settings, learns_avd
from keywarp.core.models.tpsmm.tps import resized_grid
from keywarp.core.training.learner import Answer, Batch, Turn
from keywarp.core.training.losses import Perceptual
from keywarp.core.training.recipe import Recipe

GENERATOR, CLOCK, AVD_NETWORK = "generator", "clock", "avd_network"


class Clock(nn.Module):
    """Counts the updates; it is kept with the weights, so that a resumed run goes on with the right dropout."""

    updates: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("updates", torch.zeros((), dtype=torch.float64))

    def tick(self, share: float) -> float:
        """The updates before this one; ``share``: of an update."""
        before = float(self.updates)
        self.updates += share
        return before


class TpsmmLearner:
    """See ``core.training.learner.Learner``."""

    def __init__(self, recipe: Recipe, perceptual: Perceptual) -> None:
        self.settings = Settings.of(recipe)
        self._perceptual = perceptual
        self.model = Tpsmm(self.settings.form)
        self.clock = Clock()
        self.networks: dict[str, nn.Module] = {**dict(self.model.named_children()), CLOCK: self.clock}
        self.kept: tuple[str, ...] = tuple(name for name, _ in self.model.named_children())
        others = tuple(name for name in self.kept if name != AVD_NETWORK)
        own = [phase for phase in recipe.phases if not learns_avd(phase.name)]
        self.turns: tuple[Turn, ...] = (Turn(GENERATOR, others, phases=tuple(p.name for p in own)),)
        if self.model.avd_network is not None:
            avd = tuple(phase.name for phase in recipe.phases if learns_avd(phase.name))
            self.turns += (Turn(AVD, (AVD_NETWORK,), phases=avd or (AVD,)),)
        self._updates, self._share = max(sum(phase.steps for phase in own), 1), 1 / recipe.accumulate
        known = {field.name for field in fields(LossWeights)}
        self._weights = LossWeights(**{k: float(v) for k, v in recipe.losses.items() if k in known})
        self._avd_weight = float(recipe.losses.get(AVD, 1.0))

    def losses(self, turn: str, batch: Batch) -> dict[str, Tensor]:
        source, driving = over_backdrop(batch.rest), over_backdrop(batch.posed)
        self.model.train()
        if turn == AVD:
            return {AVD: self._avd_weight * self._avd(source, driving)}
        done = self.clock.tick(self._share) / self._updates
        schedule = self.settings.schedule
        return generator_losses(
            self.model,
            source,
            driving,
            lambda image, wanted: self._perceptual(image, wanted, None),
            self._weights,
            dropout=schedule.dropout(done),
            alphas=(batch.rest[:, 3:], batch.posed[:, 3:]),
            with_background=done >= schedule.background_from,
        )

    def _avd(self, source: Tensor, driving: Tensor) -> Tensor:
        avd, detector = self.model.avd_network, self.model.kp_detector.eval()
        assert avd is not None
        with torch.no_grad():
            points = detector(source), detector(driving)
        return avd_loss(avd, *points)

    @torch.no_grad()
    def answer(self, batch: Batch) -> Answer:
        """Each rest picture with its own posed picture as the driving one; as the animator, without the background's
        motion."""
        self.model.eval()
        source, driving = over_backdrop(batch.rest), over_backdrop(batch.posed)
        points = self.model.kp_detector(source), self.model.kp_detector(driving)
        inpainted, motion = self.model(source, *points)
        h, w = source.shape[2:]
        grid = resized_grid(motion.deformation, h, w).permute(0, 3, 1, 2)
        # The outermost pixels' centres are at -1 and 1 there, the picture's edges here.
        scale = torch.tensor([(w - 1) / w, (h - 1) / h], device=grid.device)[:, None, None]
        flow = grid * scale - identity_grid(h, w, grid)
        mask = functional.interpolate(motion.masks[-1], size=(h, w), mode="bilinear", align_corners=False)
        alpha = warp(batch.rest[:, 3:], flow)
        image, warped = off_backdrop(inpainted.prediction.float(), alpha), warp(batch.rest, flow)
        drawn = (2 * (1 - mask.float())).clamp(0, 1)
        return Answer(image, flow, new_content(image, warped) * drawn, warped)
