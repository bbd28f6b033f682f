# SPDX-License-Identifier: GPL-3.0-or-later
"""How each of Talking Head Anime's five networks learns: alone, from true pictures of what it is given and of what it
is to answer with (papers: Talking Head Anime 4, section 3.1; losses after section 4.2, see ``recipes.yaml``).

Only the editor depends on another network: it learns on the answers of the rotator, which does not learn any more.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from keywarp.core.models.blocks import to_network
from keywarp.core.models.tha import teacher_layout as layout
from keywarp.core.models.tha.blocks_torch import BlockStyle
from keywarp.core.models.tha.face_torch import (
    Answers,
    EyebrowDecomposer,
    EyebrowMorphingCombiner,
    FaceMorpher,
)
from keywarp.core.models.tha.parts.settings import COMBINER, DECOMPOSER, EDITOR, FACE, ROTATOR, Settings
from keywarp.core.models.tha.teacher_torch import body_network, coarse_image, cut, pasted, resized
from keywarp.core.training.learner import Answer, Batch, Turn
from keywarp.core.training.losses import Perceptual, weighted_l1
from keywarp.core.training.recipe import Recipe

_MOVED = 0.04
"""A colour that changes by more than this, of a range of 2, is of a part that moves."""
_AROUND = 1 / 48
"""How far around it still is, in sides of the face's square."""


class PartLearner:
    """One of the five; see ``core.training.learner.Learner``.

    Networks take premultiplied linear light, [-1, 1], as the published ones do.
    """

    def __init__(self, recipe: Recipe, perceptual: Perceptual) -> None:
        self.settings = s = Settings.of(recipe)
        self._perceptual, self._square = perceptual, s.form.square
        self.networks: dict[str, nn.Module] = {name: made(s.form, name) for name in s.networks}
        self.kept: tuple[str, ...] = tuple(self.networks)
        self.turns: tuple[Turn, ...] = (Turn(s.part, (s.network,)),)
        self._weights = recipe.losses
        if s.part == EDITOR:
            self.networks[s.networks[0]].requires_grad_(False)

    def losses(self, turn: str, batch: Batch) -> dict[str, Tensor]:
        found = {
            DECOMPOSER: self._decomposed,
            COMBINER: self._combined,
            FACE: self._faced,
            ROTATOR: self._turned,
            EDITOR: self._turned,
        }[self.settings.part](batch)
        return {name: self._weights[name] * term for name, term in found.items() if self._weights.get(name)}

    def _asked(self, batch: Batch) -> Answers:
        """What the network that learns answers to a batch."""
        part, square = self.settings.part, self._square
        network, source = self.networks[self.settings.network], batch.rest * 2 - 1
        answers: Answers
        if part == DECOMPOSER:
            answers = network(cut(source, square.brows))
        elif part == COMBINER:
            answers = network(*self._layers(batch), batch.pose[:, layout.BROW_POSE])
        elif part == FACE:
            answers = network(cut(source, square.face), batch.pose[:, layout.FACE_POSE])
        elif part == ROTATOR:
            answers = network(source, batch.pose[:, layout.BODY_POSE])
        else:
            pose = batch.pose[:, layout.BODY_POSE]
            answers = network(source, *self._coarse(source, pose), pose)
        return answers

    def _layers(self, batch: Batch) -> list[Tensor]:
        """What is behind the brows, and these alone, cut out."""
        return [cut(layer * 2 - 1, self._square.brows) for layer in torch.split(batch.layers, 4, 1)]

    @torch.no_grad()
    def _coarse(self, morphed: Tensor, pose: Tensor) -> tuple[Tensor, Tensor]:
        """The rotator's picture and flow as the editor takes them."""
        form = self.settings.form
        found: Answers = self.networks[self.settings.networks[0]](resized(morphed, form.square.half), pose)
        return resized(found[coarse_image(form)], form.side), resized(found["flow"], form.side)

    # Losses

    def _decomposed(self, batch: Batch) -> dict[str, Tensor]:
        out = self._asked(batch)
        bare, brows = self._layers(batch)
        return {
            "background": functional.l1_loss(out["background_layer"], bare),
            "brows": functional.l1_loss(out["eyebrow_layer"], brows),
        }

    def _combined(self, batch: Batch) -> dict[str, Tensor]:
        """Of the brows' own opacity, which the system uses, and of an opacity of their own."""
        out, wanted = self._asked(batch), cut(batch.posed * 2 - 1, self._square.brows)
        return {name: functional.l1_loss(out[name], wanted) for name in ("image", "combined")}

    def _faced(self, batch: Batch) -> dict[str, Tensor]:
        out = self._asked(batch)["image"]
        before, wanted = (cut(x * 2 - 1, self._square.face) for x in (batch.rest, batch.posed))
        return {
            "whole": functional.l1_loss(out, wanted),
            "movable": weighted_l1(out, wanted, moving(before, wanted)),
        }

    def _turned(self, batch: Batch) -> dict[str, Tensor]:
        """Section 4.2's four terms; flow and warped picture where the source shows what the posed picture does."""
        out, wanted = self._asked(batch), batch.posed * 2 - 1
        known = batch.visible * batch.has_flow[:, None, None, None].to(wanted.dtype)
        terms = {
            "flow": weighted_l1(out["flow"], batch.flow, known),
            "warp": weighted_l1(out["warped"], wanted, known),
            "direct": functional.l1_loss(out[drawn(out)], wanted),
        }
        if "image" in out:  # THA3's rotator blends nothing
            terms["final"] = functional.l1_loss(out["image"], wanted)
        final = out.get("image", out[drawn(out)])
        if self._weights.get("perceptual"):
            shown = to_network(final * 0.5 + 0.5), to_network(batch.posed)
            terms["perceptual"] = self._perceptual(*shown, None)
        return terms

    # Answers

    @torch.no_grad()
    def answer(self, batch: Batch) -> Answer:
        """The picture that it is to learn, in its place in the source."""
        for network in self.networks.values():
            network.eval()
        out, square, source = self._asked(batch), self._square, batch.rest * 2 - 1
        part = self.settings.part
        if part in (ROTATOR, EDITOR):
            image = out.get("image", out[drawn(out)])
            alpha = out.get("alpha", torch.ones_like(image[:, :1])).mean(1, keepdim=True)
            return Answer(unit(image), out["flow"].float(), alpha.float(), unit(out["warped"]))
        where = square.face if part == FACE else square.brows
        image = unit(pasted(source, out["background_layer" if part == DECOMPOSER else "image"], where))
        change = (image - batch.rest).abs().amax(1, keepdim=True)
        return Answer(image, torch.zeros_like(batch.flow), (change > _MOVED / 2).float(), batch.rest)


def made(form: layout.Form, network: str) -> nn.Module:
    """One of the form's networks, as drawn by chance."""
    style = BlockStyle(form.separable, 0.0)
    face = {DECOMPOSER: EyebrowDecomposer, COMBINER: EyebrowMorphingCombiner, FACE: FaceMorpher}
    return face[network](style, form.width) if network in face else body_network(form, network)


def drawn(out: Mapping[str, Tensor]) -> str:
    """What the directly drawn picture is called among a network's answers."""
    return "direct" if "direct" in out else "color_change"


def moving(before: Tensor, after: Tensor) -> Tensor:
    """(N, 1, H, W): 1 around what differs between two pictures, else 0."""
    differs = ((before - after).abs().amax(1, keepdim=True) > _MOVED).to(before.dtype)
    reach = max(round(_AROUND * before.shape[3]), 1)
    return functional.max_pool2d(differs, 2 * reach + 1, 1, reach)


def unit(image: Tensor) -> Tensor:
    """Network space to [0, 1], colour held to alpha."""
    x = (image.float() * 0.5 + 0.5).clamp(0, 1)
    return torch.cat([torch.minimum(x[:, :3], x[:, 3:]), x[:, 3:]], 1)
