# SPDX-License-Identifier: GPL-3.0-or-later
"""Talking Head Anime's five networks in PyTorch, as one system that animates any picture: for export, for training,
and as the teacher of a student.

papers: Talking Head Anime 4, section 3. Network space as in ``face_torch``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from keywarp.core.models.tha import teacher_layout as layout
from keywarp.core.models.tha.blocks_torch import BlockStyle
from keywarp.core.models.tha.body_torch import BodyMorpher, Editor, Rotator, Upscaler
from keywarp.core.models.tha.face_torch import (
    Answers,
    EyebrowDecomposer,
    EyebrowMorphingCombiner,
    FaceMorpher,
)

_LEAK = 0.1
"""Slope below zero in the body's networks of THA3."""


class Teacher(nn.Module):
    """The five networks of a form, under the names of their files."""

    def __init__(self, form: layout.Form) -> None:
        super().__init__()
        style = BlockStyle(form.separable, 0.0)
        self.eyebrow_decomposer = EyebrowDecomposer(style, form.width)
        self.eyebrow_morphing_combiner = EyebrowMorphingCombiner(style, form.width)
        self.face_morpher = FaceMorpher(style, form.width)
        for network in form.networks[3:]:
            self.add_module(network, body_network(form, network))
        self.form, self._square = form, form.square

    def load(self, states: Mapping[str, Mapping[str, Any]]) -> Teacher:
        """Take the weights, {network: {tensor: array}}, and be ready to answer."""
        for network in self.form.networks:
            state = {name: torch.tensor(value).float() for name, value in states[network].items()}
            self.get_submodule(network).load_state_dict(state)
        return self.eval()

    def layers(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """What is behind the brows, and the brows, (N, 4, S, S) each: they depend on the picture alone."""
        answers: Answers = self.eyebrow_decomposer(cut(picture, self._square.brows))
        return answers["background_layer"], answers["eyebrow_layer"]

    def face_with(self, picture: Tensor, brows: Tensor) -> Tensor:
        """The face's part of the picture with these brows, (N, 4, S, S)."""
        return pasted(cut(picture, self._square.face), brows, self._square.brows_in_face)

    def rotated(self, morphed: Tensor, pose: Tensor) -> dict[str, Answers]:
        """What the body's two networks answer to the picture with its face morphed and a pose, (N, 6)."""
        coarse_name, fine_name = self.form.networks[3:]
        half = resized(morphed, self._square.half)
        coarse: Answers = self.get_submodule(coarse_name)(half, pose)
        image, flow = (resized(coarse[x], self._square.side) for x in (coarse_image(self.form), "flow"))
        return {coarse_name: coarse, fine_name: self.get_submodule(fine_name)(morphed, image, flow, pose)}

    def forward(self, picture: Tensor, pose: Tensor) -> dict[str, Answers]:
        """Everything that the networks answer to a picture, (N, 4, S, S), and a pose, (N, 45), by network; the
        posed picture is the last network's ``image``. ``face_morphed`` holds the picture with its face morphed."""
        decomposed: Answers = self.eyebrow_decomposer(cut(picture, self._square.brows))
        brows: Answers = self.eyebrow_morphing_combiner(
            decomposed["background_layer"], decomposed["eyebrow_layer"], pose[:, layout.BROW_POSE]
        )
        face: Answers = self.face_morpher(self.face_with(picture, brows["image"]), pose[:, layout.FACE_POSE])
        morphed = pasted(picture, face["image"], self._square.face)
        return {
            "eyebrow_decomposer": decomposed,
            "eyebrow_morphing_combiner": brows,
            "face_morpher": face,
            "face_morphed": {"image": morphed},
            **self.rotated(morphed, pose[:, layout.BODY_POSE]),
        }


def body_network(form: layout.Form, network: str) -> nn.Module:
    """One of the form's two networks of the body."""
    if network == "body_morpher":
        return BodyMorpher(form.body_widths)
    if network == "upscaler":
        return Upscaler(form.upscaler_widths)
    leaky = BlockStyle(form.separable, _LEAK)
    return Editor(leaky, form.width // 2) if network == "editor" else Rotator(leaky, form.width)


def coarse_image(form: layout.Form) -> str:
    """Which of the rotator's answers the editor takes: THA3's the picture as the coarse flow warps it, THA4's the
    posed picture (section 3.1)."""
    return "image" if form.attention else "warped"


def cut(picture: Tensor, where: layout.Where) -> Tensor:
    """These rows and columns of ``picture``."""
    rows, columns = where
    return picture[:, :, rows, columns]


def pasted(picture: Tensor, part: Tensor, where: layout.Where) -> Tensor:
    """``picture`` with ``part`` at these rows and columns."""
    rows, columns = where
    strip = torch.cat([picture[:, :, rows, : columns.start], part, picture[:, :, rows, columns.stop :]], 3)
    return torch.cat([picture[:, :, : rows.start], strip, picture[:, :, rows.stop :]], 2)


def resized(image: Tensor, side: int) -> Tensor:
    """Bilinear, align_corners False."""
    return functional.interpolate(image, size=(side, side), mode="bilinear", align_corners=False)
