# SPDX-License-Identifier: GPL-3.0-or-later
"""The student's networks at some of their pixels against the published layers on all of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from keywarp.core.models.tha import student_layout as layout
from keywarp.core.models.tha.student_files import load_student
from keywarp.core.picture import read_picture

torch = pytest.importorskip("torch")

CORNERS = [[0, 0], [480, 480], [200, 100]]
SIDE = 32


def windows(images: torch.Tensor, corners: torch.Tensor) -> torch.Tensor:
    """The tiles of each image, below each other."""
    return torch.stack(
        [
            torch.cat([image[:, y : y + SIDE, x : x + SIDE] for x, y in tiles.tolist()], 1)
            for image, tiles in zip(images, corners, strict=True)
        ]
    )


@pytest.mark.parametrize("variant", list(layout.VARIANTS))
def test_tiles_are_parts_of_the_whole(variant: str, full: bool) -> None:
    """Also at the square's borders, where up-sampling repeats features but not places."""
    from keywarp.core.models.tha.student_parts import body_at
    from keywarp.core.models.tha.student_torch import BodyRotator, initialise

    if variant != layout.PUBLISHED and not full:
        pytest.skip("sixteen times the work: `test --full`")
    torch.manual_seed(1)
    body = BodyRotator(layout.VARIANTS[variant])
    initialise(body)
    pose, picture = torch.rand(1, 45) * 2 - 1, torch.rand(1, 4, 512, 512) * 2 - 1
    corners = torch.tensor([CORNERS])
    with torch.inference_mode():
        whole = body(picture, pose)
        raw, places = body_at(body, pose, corners, SIDE)
        parts = body.formed(raw, places, picture)
    assert parts.keys() == whole.keys()
    for name, expected in whole.items():
        assert (parts[name] - windows(expected, corners)).abs().max() < 2e-4, name


def test_pixels_are_parts_of_the_face() -> None:
    from keywarp.core.models.tha.student_parts import face_at
    from keywarp.core.models.tha.student_torch import FaceMorpher, initialise

    torch.manual_seed(2)
    face = FaceMorpher()
    initialise(face)
    pose, pixels = torch.rand(2, 39), torch.randint(128 * 128, (2, 100))
    with torch.inference_mode():
        whole = face(pose).flatten(2).permute(0, 2, 1)
        found = face_at(face, pose, pixels)
    assert (found - whole.gather(1, pixels[..., None].expand(-1, -1, 4))).abs().max() < 1e-5


@pytest.mark.shared
def test_tiles_of_a_published_student_give_its_published_answers(shared: Path) -> None:
    from keywarp.core.models.tha.distill.teacher import network_picture
    from keywarp.core.models.tha.student_parts import body_at
    from keywarp.core.models.tha.student_torch import BodyRotator, FaceMorpher, with_face

    folder = shared / "reference" / "lambda_00"
    source = load_student(folder / "face_morpher.pt", folder / "body_morpher.pt", None)
    face, body = FaceMorpher(), BodyRotator()
    for network, weights in ((face, source.face), (body, source.body)):
        network.load_state_dict({name: torch.tensor(np.array(value)) for name, value in weights.items()})
    stored = np.load(shared / "reference" / "lambda_00.reference.npz")
    pose = torch.from_numpy(stored["pose"].astype(np.float32))
    picture = network_picture(read_picture(folder / "character.png").pixels)
    corners = torch.tensor([[[240, 120], [200, 60], [280, 300]]] * len(pose))
    with torch.inference_mode():
        morphed = with_face(picture, face(pose[:, :39]))
        raw, places = body_at(body, pose, corners, SIDE)
        found = body.formed(raw, places, morphed)["image"]
    truth = windows(torch.from_numpy(stored["output"].astype(np.float32)), corners)
    assert (found - truth).abs().max() < 2e-3  # stored in half precision


def test_networks_begin_as_siren_does() -> None:
    """Within 1 / inputs in the first layer; else sums that the next sine takes have a deviation of about 1. What
    answers a flow begins at a tenth of that."""
    from keywarp.core.models.tha.student_torch import BodyRotator, FaceMorpher, initialise

    torch.manual_seed(3)
    for network in (FaceMorpher(), BodyRotator()):
        initialise(network)
        first, *others = [w for name, w in network.named_parameters() if name.endswith("weight")]
        assert 0.9 / first.shape[1] < first.abs().max() <= 1 / first.shape[1]
        for weight in others:
            phases = torch.rand(2000, weight.shape[1]) * 2 * torch.pi
            sums = layout.OMEGA * phases.sin() @ weight.flatten(1).T
            answers_flow = isinstance(network, BodyRotator) and weight is others[-1]
            assert 0.9 < sums.std() * (10 if answers_flow else 1) < 1.1
