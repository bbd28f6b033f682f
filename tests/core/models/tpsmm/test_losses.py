# SPDX-License-Identifier: GPL-3.0-or-later
"""TPSMM's losses: each is 0 where it should be, falls when it is lowered, and teaches the part that it is for."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from keywarp.core.models.tpsmm import losses  # noqa: E402
from keywarp.core.models.tpsmm.layout import Form  # noqa: E402
from keywarp.core.models.tpsmm.networks import Tpsmm  # noqa: E402
from keywarp.core.models.tpsmm.settings import Schedule  # noqa: E402
from keywarp.core.models.tpsmm.tps import identity_grid  # noqa: E402

NARROW = Form(2, True, True, 8, 8, 32, 2, 8, 32, 2, True, 16)
SIDE = 32


def difference(image: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    return (image - wanted).abs().mean()


@pytest.fixture
def networks() -> Tpsmm:
    torch.manual_seed(1)
    made = Tpsmm(NARROW)
    assert made.bg_predictor is not None
    # As it begins it says exactly that nothing moves, which is consistent, and a minimum.
    torch.nn.init.normal_(made.bg_predictor.bg_encoder.fc.weight, std=0.01)
    return made


@pytest.fixture
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    """Soft blobs, and the same a little aside."""
    place = identity_grid(SIDE, SIDE, torch.zeros(1))

    def blob(x: float) -> torch.Tensor:
        apart = (place - torch.tensor([x, 0.1])).square().sum(-1)
        return torch.stack([torch.exp(-apart * s) for s in (3.0, 6.0, 12.0)])[None]

    # Two examples: batch norm needs more than one where maps are a single pixel.
    return torch.cat([blob(-0.1), blob(0.0)]), torch.cat([blob(0.15), blob(-0.2)])


def test_every_term_is_there_and_reaches_its_networks(
    networks: Tpsmm, pair: tuple[torch.Tensor, torch.Tensor]
) -> None:
    source, driving = pair
    terms = losses.generator_losses(
        networks, source, driving, difference, losses.LossWeights(pixel=1.0), dropout=0.3
    )
    assert set(terms) == {"perceptual", "pixel", "equivariance", "warp", "background"}
    reached = {
        "perceptual": {"kp_detector", "dense_motion_network", "inpainting_network", "bg_predictor"},
        "equivariance": {"kp_detector"},
        "background": {"bg_predictor"},
        "warp": {"kp_detector", "dense_motion_network", "bg_predictor", "inpainting_network"},
    }
    for name, expected in reached.items():
        networks.zero_grad()
        terms[name].backward(retain_graph=True)
        touched = {
            part
            for part, network in networks.named_children()
            if any(p.grad is not None and p.grad.abs().max() > 0 for p in network.parameters())
        }
        assert touched == expected, name


def test_a_weight_of_nothing_leaves_a_term_out(
    networks: Tpsmm, pair: tuple[torch.Tensor, torch.Tensor]
) -> None:
    weights = losses.LossWeights(perceptual=1, equivariance=0, background=0, warp=0)
    assert set(losses.generator_losses(networks, *pair, difference, weights)) == {"perceptual"}


def test_a_transformation_that_does_nothing_leaves_the_picture(
    pair: tuple[torch.Tensor, torch.Tensor],
) -> None:
    still = losses.random_spline(2, pair[0], losses.RandomTransform(0.0, 0.0))
    assert torch.allclose(losses.transformed(pair[0], still), pair[0], atol=1e-5)


def test_keypoints_that_follow_the_picture_are_equivariant(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    """A detector that finds the blob's centre obeys equation 10; one that does not look at the picture does not."""
    place = identity_grid(SIDE, SIDE, torch.zeros(1))

    def centre(picture: torch.Tensor) -> torch.Tensor:
        share = picture[:, 2] ** 4
        share = share / share.sum((1, 2), keepdim=True)
        return (share[..., None] * place).sum((1, 2))[:, None]

    torch.manual_seed(0)
    settings = losses.RandomTransform(0.1, 0.005)
    many = pair[1][:1].expand(16, -1, -1, -1)
    seeing = losses.equivariance(centre, many, centre(many), settings)
    torch.manual_seed(0)
    blind = losses.equivariance(lambda x: centre(many), many, centre(many), settings)
    assert seeing < 0.4 * blind


def test_motions_that_undo_each_other_are_consistent() -> None:
    there = torch.tensor([[[1.1, 0.1, 0.2], [0.0, 0.9, -0.1], [0, 0, 1]]])
    assert losses.background_consistency(there, torch.linalg.inv(there)) < 1e-6
    assert losses.background_consistency(there, there) > 0.02


def test_dropout_grows_stays_and_ends() -> None:
    found = [Schedule().dropout(x) for x in (0.0, 0.05, 0.1, 0.3, 0.36)]
    np.testing.assert_allclose(found, [0.1, 0.2, 0.3, 0.3, 0.0], atol=1e-12)


def test_the_losses_fall(networks: Tpsmm, pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    weights = losses.LossWeights(pixel=10.0)
    optimizer = torch.optim.Adam(networks.parameters(), 2e-3)
    history: list[dict[str, float]] = []
    torch.manual_seed(4)
    for _ in range(10):
        terms = losses.generator_losses(networks, *pair, difference, weights)
        optimizer.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        optimizer.step()
        history.append({name: float(term.detach()) for name, term in terms.items()})
    for name in ("perceptual", "pixel", "warp"):
        first, last = (np.mean([step[name] for step in part]) for part in (history[:3], history[-3:]))
        assert last < first, name


@pytest.mark.parametrize("name", ["equivariance", "background"])
def test_what_is_lowered_alone_falls(
    networks: Tpsmm, pair: tuple[torch.Tensor, torch.Tensor], name: str
) -> None:
    weights = losses.LossWeights(**{"perceptual": 0, "equivariance": 0, "background": 0, "warp": 0, name: 1})
    assert networks.bg_predictor is not None
    torch.nn.init.normal_(networks.bg_predictor.bg_encoder.fc.weight, std=0.3)  # as drawn it undoes itself
    optimizer = torch.optim.Adam(networks.parameters(), 2e-3)
    torch.manual_seed(5)
    found = []
    for _ in range(25):
        (loss,) = losses.generator_losses(networks, *pair, difference, weights).values()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(float(loss.detach()))
    assert np.mean(found[-8:]) < 0.8 * np.mean(found[:8])


def test_avd_learns_to_undo_a_stretch(networks: Tpsmm) -> None:
    assert networks.avd_network is not None
    torch.manual_seed(2)
    points = torch.rand(32, 10, 2) - 0.5
    optimizer = torch.optim.Adam(networks.avd_network.parameters(), 1e-3)
    found = []
    for _ in range(40):
        loss = losses.avd_loss(networks.avd_network, points, points)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(float(loss.detach()))
    assert np.mean(found[-5:]) < 0.7 * np.mean(found[:5])
