# SPDX-License-Identifier: GPL-3.0-or-later
"""The five networks as ONNX graphs, cut where an evaluation can stop because nothing before has changed.

| graph | takes | answers with | runs again when |
|---|---|---|---|
| ``layers`` | ``picture`` | ``background``, ``eyebrows``, ``code`` | the picture changes |
| ``brows`` | these three, ``pose`` (1, 12) | ``face``, ``code`` | the brows' channels change |
| ``face`` | ``picture``, the brows' two, ``pose`` (1, 27) | ``morphed`` | the face's channels change |
| ``body`` | ``morphed``, ``pose`` (1, 6) | ``image``, ``warped``, ``flow`` | always |

Images are in network space. Shapes are static; identity grids are constants.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from keywarp.core.models.onnx_export import export_onnx
from keywarp.core.models.tha import teacher_layout as layout
from keywarp.core.models.tha.teacher_torch import Teacher, pasted
from keywarp.core.runtime.progress import report


class _Stage(nn.Module):
    """A part of the system, as one graph."""

    def __init__(self, teacher: Teacher) -> None:
        super().__init__()
        self.teacher = teacher


class _Layers(_Stage):
    def forward(self, picture: Tensor) -> tuple[Tensor, ...]:
        background, eyebrows = self.teacher.layers(picture)
        code = self.teacher.eyebrow_morphing_combiner.encoded(background, eyebrows)
        return background, eyebrows, code


class _Brows(_Stage):
    def forward(
        self, picture: Tensor, background: Tensor, eyebrows: Tensor, code: Tensor, pose: Tensor
    ) -> tuple[Tensor, ...]:
        brows = self.teacher.eyebrow_morphing_combiner.posed(background, eyebrows, code, pose)["image"]
        face = self.teacher.face_with(picture, brows)
        return face, self.teacher.face_morpher.encoded(face)


class _Face(_Stage):
    def forward(self, picture: Tensor, face: Tensor, code: Tensor, pose: Tensor) -> tuple[Tensor, ...]:
        image = self.teacher.face_morpher.posed(face, code, pose)["image"]
        return (pasted(picture, image, self.teacher.form.square.face),)


class _Body(_Stage):
    def forward(self, morphed: Tensor, pose: Tensor) -> tuple[Tensor, ...]:
        last = self.teacher.rotated(morphed, pose)[self.teacher.form.networks[-1]]
        return last["image"], last["warped"], last["flow"]


def _zeros(channels: int, side: int) -> Tensor:
    return torch.zeros(1, channels, side, side)


def export(form: layout.Form, states: Mapping[str, Mapping[str, Any]], folder: Path) -> None:
    """Write the four graphs of these weights, {network: {tensor: array}}, into ``folder``."""
    teacher = Teacher(form).load(states)
    square = form.square
    picture = _zeros(4, square.side)
    layer, face = _zeros(4, square.brows_side), _zeros(4, square.face_side)
    small, large = (_zeros(form.deepest, side // 8) for side in (square.brows_side, square.face_side))
    graphs: list[tuple[str, nn.Module, dict[str, Tensor], list[str]]] = [
        ("layers", _Layers(teacher), {"picture": picture}, ["background", "eyebrows", "code"]),
        (
            "brows",
            _Brows(teacher),
            {"picture": picture, "background": layer, "eyebrows": layer, "code": small}
            | {"pose": torch.zeros(1, 12)},
            ["face", "face_code"],
        ),
        (
            "face",
            _Face(teacher),
            {"picture": picture, "face": face, "face_code": large, "pose": torch.zeros(1, 27)},
            ["morphed"],
        ),
        (
            "body",
            _Body(teacher),
            {"morphed": picture, "pose": torch.zeros(1, 6)},
            ["image", "warped", "flow"],
        ),
    ]
    for done, (name, module, inputs, outputs) in enumerate(graphs):
        report("exporting", done / len(graphs))
        export_onnx(module, inputs, outputs, folder / f"{name}.onnx")
