# SPDX-License-Identifier: GPL-3.0-or-later
"""AniMo's losses: each is 0 for equal pictures, reaches the networks of its domain, and falls."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from keywarp.core.models.animo import losses  # noqa: E402
from keywarp.core.models.animo.layout import Form  # noqa: E402
from keywarp.core.models.animo.networks import AniMo  # noqa: E402

NARROW = Form(16, 2, 8, 32, 4, 2, 8, 32, 2, 1)


def difference(image: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    return (image - wanted).abs().mean()


@pytest.fixture
def networks() -> AniMo:
    torch.manual_seed(1)
    return AniMo(NARROW)


@pytest.fixture
def examples() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Sources, driving pictures, poses: smooth pictures, and the same a little aside."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, 32), torch.linspace(-1, 1, 32), indexing="ij")

    def picture(shift: float) -> torch.Tensor:
        return torch.stack([torch.sin(3 * (x + shift)), torch.cos(4 * y), torch.sin(2 * (x + shift) + y)])[
            None
        ]

    poses = torch.zeros(2, 70)
    poses[0, 65], poses[1, 65] = 0.2, -0.2
    source = picture(0.0).expand(2, -1, -1, -1)
    return source, torch.cat([picture(0.15), picture(-0.15)]), poses


def test_equal_pictures_have_one_style_and_mirrored_ones_the_same_colours() -> None:
    picture = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1
    assert losses.style_loss(picture, picture, losses.edge_features) == 0
    colours = losses.style_loss(picture, picture.flip(3), lambda x: [x])
    assert colours < 1e-6
    assert losses.style_loss(picture, picture * 0.5, losses.edge_features) > 1e-4


def test_gram_is_numpys() -> None:
    maps = torch.rand(2, 5, 4, 6)
    flat = maps.numpy().reshape(2, 5, 24)
    np.testing.assert_allclose(losses.gram(maps), np.einsum("nch,ndh->ncd", flat, flat) / (5 * 24), rtol=1e-5)


@pytest.mark.parametrize("domain", ["A", "V"])
@pytest.mark.parametrize("editing", [False, True])
def test_a_domain_teaches_its_own_networks_and_the_shared_one(
    networks: AniMo,
    examples: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
    domain: str,
    editing: bool,
) -> None:
    source, driving, pose = examples
    weights = losses.LossWeights(pixel=1.0)
    terms = losses.domain_losses(
        networks, domain, source, driving, pose, difference, weights=weights, editing=editing
    )
    names = {f"warp_{domain}", f"warp_pixel_{domain}"}
    if editing:
        names |= {f"final_{domain}", f"style_{domain}", f"pixel_{domain}"}
    assert set(terms) == names
    torch.stack(list(terms.values())).sum().backward()
    touched = {
        part
        for part, network in networks.named_children()
        if any(p.grad is not None and p.grad.abs().max() > 0 for p in network.parameters())
    }
    own = {"mapping_net", f"warpping_net{domain}"} | ({f"editing_net{domain}"} if editing else set())
    assert touched == own


def test_joint_training_lowers_the_losses_of_both_domains(
    networks: AniMo, examples: tuple[torch.Tensor, torch.Tensor, torch.Tensor]
) -> None:
    source, driving, pose = examples
    weights = losses.LossWeights(style=10.0, pixel=10.0)
    optimizer = torch.optim.Adam(networks.parameters(), 1e-3)
    history: list[dict[str, float]] = []
    for _ in range(12):
        terms: dict[str, torch.Tensor] = {}
        for domain, (a, b) in {"A": (source, driving), "V": (driving, source)}.items():
            terms |= losses.domain_losses(networks, domain, a, b, pose, difference, weights=weights)
        optimizer.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        optimizer.step()
        history.append({name: float(term.detach()) for name, term in terms.items()})
    for name in history[0]:
        first, last = (np.mean([step[name] for step in part]) for part in (history[:2], history[-2:]))
        assert last < first, name
