# SPDX-License-Identifier: GPL-3.0-or-later
"""Presets: the paper's figures, its ablations, and what is wrong in a file."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from keywarp.core.models.tha.distill.settings import BODY, FACE, RECIPES, changed, load_preset
from keywarp.keyframes.errors import KeywarpError


def test_the_paper_trains_as_its_section_4_2_says() -> None:
    """Table 1 and the learning rates, by examples shown."""
    paper = load_preset("paper")
    face, body = paper.recipes[FACE], paper.recipes[BODY]
    assert (face.steps * face.batch, body.steps * body.batch) == (1_000_000, 1_500_000)
    assert (face.betas, body.betas) == ((0.9, 0.999), (0.9, 0.999))
    assert face.losses == {"whole": 1, "movable": 20}
    rates = {0: 1e-4, 199_999: 1e-4, 200_000: 3.33e-5, 500_000: 1e-5, 800_000: 3.33e-6}
    assert {shown: face.learning_rate(shown // 8) for shown in rates} == rates
    rates = {0: 1e-4, 200_000: 3e-5, 599_999: 3e-5, 600_000: 1e-5, 1_300_000: 3e-6, 1_499_999: 3e-6}
    assert {shown: body.learning_rate(shown // 8) for shown in rates} == rates
    table = {
        0: (0.5, 0.25, 2, 0.25),
        399_999: (0.5, 0.25, 2, 0.25),
        400_000: (5, 2.5, 1, 1),
        800_000: (1, 1, 1, 10),
    }
    for shown, row in table.items():
        weights = body.phase_at(shown // 8)[0].losses
        assert tuple(body.losses[name] * weights[name] for name in ("flow", "warp", "direct", "final")) == row


def test_a_shorter_training_keeps_its_stairs() -> None:
    body = load_preset("paper").recipes[BODY].with_steps(1500)
    assert [phase.steps for phase in body.phases] == [400, 400, 700]
    assert body.rates == ((0, 1e-4), (200, 3e-5), (600, 1e-5), (1300, 3e-6))


def test_phases_that_are_left_share_the_whole_training() -> None:
    """Table 7, model E: the first and the last."""
    whole = load_preset("paper")
    body = changed(whole, "published", (1, 3), None).recipes[BODY]
    assert [phase.name for phase in body.phases] == ["drawing", "result"]
    assert body.steps == whole.recipes[BODY].steps
    assert body.rates == whole.recipes[BODY].rates
    with pytest.raises(KeywarpError, match="phases 1 to 3, not 4"):
        changed(whole, "published", (4,), None)
    with pytest.raises(KeywarpError, match="in every step"):
        changed(whole, "published", None, 50)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"poses": -1}, "poses should be a whole number"),
        ({"poses": 0}, "pixels and tiles are 0 too"),
        ({"face_morpher": 3}, "face_morpher should hold the settings"),
        ({"checked": None}, "checked should be"),
    ],
)
def test_what_is_wrong_in_a_preset_is_said(tmp_path: Path, change: dict[str, object], said: str) -> None:
    content = {**yaml.safe_load(RECIPES.read_text(encoding="utf-8"))["presets"]["small"], **change}
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(KeywarpError, match=said):
        load_preset(str(file))


@pytest.mark.parametrize(
    ("network", "said"),
    [
        ({"tile": 30}, "multiple of 4"),
        ({"tiles": -1}, "whole numbers"),
        ({"variant": "wide"}, "variant published"),
        ({"depth": 3}, "no setting 'depth'"),
    ],
)
def test_what_is_wrong_in_a_network_is_said(tmp_path: Path, network: dict[str, object], said: str) -> None:
    content = yaml.safe_load(RECIPES.read_text(encoding="utf-8"))["presets"]["small"]
    content["body_morpher"]["network"] = network
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(KeywarpError, match=said):
        load_preset(str(file))
