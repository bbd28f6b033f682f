# SPDX-License-Identifier: GPL-3.0-or-later
"""The names and shapes that the five networks are known by are the published ones, and those of the modules."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from keywarp.core.models.tha.teacher_layout import (
    FORMS,
    SEPARABLE,
    STANDARD,
    TEACHER,
    Form,
    Square,
    network_shapes,
    width_of,
)

LISTS = {STANDARD: "tha3_standard", SEPARABLE: "tha3_separable", TEACHER: "tha4_teacher"}
NAMED = pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)


@NAMED
def test_the_published_layouts(form: Form, reference: Path) -> None:
    listed = json.loads((reference / f"{LISTS[form]}.keys.json").read_text())
    assert set(listed) == set(form.networks)
    for network, tensors in listed.items():
        assert network_shapes(form, network) == {k: tuple(shape) for k, (shape, _) in tensors.items()}


@NAMED
@pytest.mark.parametrize("width", [64, 8])
def test_the_modules_have_these_tensors(form: Form, width: int) -> None:
    torch = pytest.importorskip("torch")
    from keywarp.core.models.tha.teacher_torch import Teacher

    form = replace(form, width=width)
    with torch.device("meta"):
        teacher = Teacher(form)
    for network in form.networks:
        state = teacher.get_submodule(network).state_dict()
        assert {k: tuple(v.shape) for k, v in state.items()} == network_shapes(form, network)
        assert width_of(network_shapes(form, network)) == width


def test_smaller_squares_have_their_crops_in_the_same_places() -> None:
    published, small = Square(), Square(64)
    assert (published.face, published.brows) == (
        (slice(32, 224), slice(160, 352)),
        (slice(64, 192), slice(192, 320)),
    )
    for name in ("face", "brows", "brows_in_face"):
        for one, other in zip(getattr(published, name), getattr(small, name), strict=True):
            assert (one.start, one.stop) == (8 * other.start, 8 * other.stop), name
    assert (small.half, small.face_side, small.brows_side) == (32, 24, 16)
