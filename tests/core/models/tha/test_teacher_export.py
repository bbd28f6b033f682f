# SPDX-License-Identifier: GPL-3.0-or-later
"""The graphs of the five networks answer what PyTorch does, with flows of a trained network's size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest

from keywarp.core.models.tha import teacher_layout as layout
from keywarp.core.models.tha.teacher_layout import SEPARABLE, STANDARD, TEACHER, Form
from keywarp.core.runtime.session import open_session, worker_count

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.slow
State = dict[str, dict[str, np.ndarray]]
Tensors = Mapping[str, Any]


def run(file: Path, inputs: Tensors) -> dict[str, np.ndarray]:
    session = open_session(file, "cpu", worker_count())
    names = [out.name for out in session.get_outputs()]
    feed = {name: np.asarray(value) for name, value in inputs.items()}
    return dict(zip(names, session.run(names, feed), strict=True))


@pytest.mark.parametrize(
    ("form", "name"),
    [
        (SEPARABLE, "tha3_separable"),
        pytest.param(STANDARD, "tha3_standard", marks=pytest.mark.full),
        pytest.param(TEACHER, "tha4_teacher", marks=pytest.mark.full),
    ],
)
def test_onnx_answers_as_pytorch(
    form: Form,
    name: str,
    stand_in: Callable[[str], State],
    recipe: ModuleType,
    moving: Callable[..., Any],
    refused_by_cuda: Callable[[onnx.ModelProto], list[str]],
    tmp_path: Path,
) -> None:
    """Each graph with a picture, as trained networks hand it on, where stand-in ones would draw noise."""
    from keywarp.core.models.tha.teacher_export import export
    from keywarp.core.models.tha.teacher_torch import cut, pasted

    picture = torch.from_numpy(recipe.image(512, 4)[None])
    pose = torch.from_numpy(recipe.pose(45, 1)[None])
    teacher = moving(form, stand_in(name))
    states = {x: teacher.get_submodule(x).state_dict() for x in form.networks}
    export(form, {x: {k: v.numpy() for k, v in state.items()} for x, state in states.items()}, tmp_path)

    brows, mouth, body = pose[:, layout.BROW_POSE], pose[:, layout.FACE_POSE], pose[:, layout.BODY_POSE]
    part, face = cut(picture, layout.Square().brows), cut(picture, layout.Square().face)
    combiner, morpher = teacher.eyebrow_morphing_combiner, teacher.face_morpher
    with torch.inference_mode():
        code, face_code = combiner.encoded(part, part), morpher.encoded(face)
        split = teacher.layers(picture)
        split_code = combiner.encoded(*split)
        combined = teacher.face_with(picture, combiner(part, part, brows)["image"])
        combined_code = morpher.encoded(combined)
        morphed = pasted(picture, morpher(face, mouth)["image"], layout.Square().face)
        last = teacher.rotated(picture, body)[form.networks[-1]]
    assert last["flow"].square().mean().sqrt() > 0.02  # a hundredth of the width
    cases: dict[str, tuple[Tensors, Tensors]] = {
        "layers": (
            {"picture": picture},
            {"background": split[0], "eyebrows": split[1], "code": split_code},
        ),
        "brows": (
            {"picture": picture, "background": part, "eyebrows": part, "code": code, "pose": brows},
            {"face": combined, "face_code": combined_code},
        ),
        "face": (
            {"picture": picture, "face": face, "face_code": face_code, "pose": mouth},
            {"morphed": morphed},
        ),
        "body": ({"morphed": picture, "pose": body}, {x: last[x] for x in ("image", "warped", "flow")}),
    }
    for graph, (takes, gives) in cases.items():
        found = run(tmp_path / f"{graph}.onnx", takes)
        for answer, expected in gives.items():
            assert np.abs(found[answer] - expected.numpy()).max() < 1e-3, (graph, answer)
        faults = refused_by_cuda(onnx.load(tmp_path / f"{graph}.onnx"))
        assert [fault for fault in faults if " of version " not in fault] == []
