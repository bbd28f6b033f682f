# SPDX-License-Identifier: GPL-3.0-or-later
"""The names and shapes that the five networks are known by are the published ones, and those of the modules."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from keywarp.core.models.tha.teacher_layout import FORMS, SEPARABLE, STANDARD, TEACHER, Form, network_shapes

LISTS = {STANDARD: "tha3_standard", SEPARABLE: "tha3_separable", TEACHER: "tha4_teacher"}
NAMED = pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)


@NAMED
def test_the_published_layouts(form: Form, reference: Path) -> None:
    listed = json.loads((reference / f"{LISTS[form]}.keys.json").read_text())
    assert set(listed) == set(form.networks)
    for network, tensors in listed.items():
        assert network_shapes(form, network) == {k: tuple(shape) for k, (shape, _) in tensors.items()}


@NAMED
def test_the_modules_have_these_tensors(form: Form) -> None:
    torch = pytest.importorskip("torch")
    from keywarp.core.models.tha.teacher_torch import Teacher

    with torch.device("meta"):
        teacher = Teacher(form)
    for network in form.networks:
        state = teacher.get_submodule(network).state_dict()
        assert {k: tuple(v.shape) for k, v in state.items()} == network_shapes(form, network)
