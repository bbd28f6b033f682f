# SPDX-License-Identifier: GPL-3.0-or-later
"""Systems of published size, and what they cost."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from keywarp.core.bench.systems import cost, models
from keywarp.core.models.registry import SHIPPED, families, find_model
from keywarp.keyframes.spaces import space

PICTURE = SHIPPED / "demo" / "character.png"


@pytest.mark.slow
def test_a_system_is_made_as_a_run_would_make_it_and_measured() -> None:
    """ATW's multiply-adds as PyTorch's ``FlopCounterMode`` counts them in its generator, at 128x128 pixels."""
    atw = next(family for family in families() if family.name == "atw")
    name, folder = next(made := models(atw))
    found = cost(name, folder, PICTURE)
    assert list(made) == []
    assert (found.side, found.parameters, found.multiply_adds) == (128, 8_154_631, wanted())
    assert found.processor_seconds > 0
    assert found.seconds > 0


def wanted() -> int:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from keywarp.core.training.families import trainable
    from keywarp.core.training.losses import perceptual_loss
    from keywarp.core.training.recipe import load_recipe

    recipe = load_recipe(trainable("atw").recipes, "atw", "paper")
    made = trainable("atw").learner(recipe, perceptual_loss(None))
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        made.generator(torch.zeros(1, 4, 128, 128), torch.zeros(1, len(space("au17"))))
    return counter.get_total_flops() // 2


@pytest.mark.full
def test_each_of_the_five_systems_has_a_size_to_be_measured_at() -> None:
    found = [
        (family.name, find_model(folder).info.form) for family in families() for _, folder in models(family)
    ]
    assert {family for family, _ in found} == {"animo", "atw", "hfwb", "tha", "tpsmm"}
    assert len(found) == 8, found
