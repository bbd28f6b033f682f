# SPDX-License-Identifier: GPL-3.0-or-later
"""The pose mapping: the authors' numbers, a fit to a synthetic morphable model, and the substitute."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize

from keywarp.core.models.animo.fitting import LinearFace, fitted_matrix, moved_landmarks, read_face
from keywarp.core.models.animo.pose_mapping import PoseMapping, mapping_for, read_matrix, substitute
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.spaces import space

NAMES = space("animeceleb20").names[:17]


@pytest.mark.shared
def test_the_authors_matrix_gives_the_authors_poses(shared: Path, reference: Path) -> None:
    mapping = read_matrix(shared / "reference" / "animo_pose_mapping.npy")
    with np.load(reference / "animo.reference.npz") as stored:
        for seed in (1, 2):
            np.testing.assert_allclose(mapping(stored[f"pose20_{seed}"]), stored[f"pose70_{seed}"], atol=1e-5)


def test_angles_become_radians_by_name_and_nothing_is_translated(reference: Path) -> None:
    source, target = space("animeceleb20"), space("bfm70")
    pose = source.pose({"pitch": 10, "yaw": -15, "roll": 5, "mouth_a": 1})
    mapped = PoseMapping(np.arange(17 * 64.0).reshape(17, 64), "test")(np.stack([pose, source.rest()]))
    for name, degrees in (("pitch", 10), ("yaw", -15), ("roll", 5)):
        assert mapped[0, target.index(name)] == pytest.approx(np.radians(degrees))
    np.testing.assert_array_equal(mapped[0, :64], np.arange(12 * 64, 13 * 64))
    np.testing.assert_array_equal(mapped[:, 67:], 0)
    np.testing.assert_array_equal(mapped[1], 0)
    with np.load(reference / "animo.reference.npz") as stored:
        np.testing.assert_allclose(substitute()(stored["pose20_1"])[64:], stored["pose70_1"][64:], atol=1e-5)


def test_the_authors_whole_file_is_read(tmp_path: Path) -> None:
    whole = np.random.default_rng(1).standard_normal((17, 257))
    np.save(tmp_path / "pose_coeffs.npy", whole)
    found = mapping_for(tmp_path / "animo.ckpt")
    np.testing.assert_array_equal(found.matrix, whole[:, 80:144])
    assert found.origin == "pose_coeffs.npy"


def test_without_a_file_a_substitute_says_that_it_is_one(tmp_path: Path) -> None:
    found = mapping_for(tmp_path / "animo.ckpt")
    assert "substitute" in found.origin
    np.testing.assert_allclose(found.matrix @ found.matrix.T, np.eye(17), atol=1e-12)


@pytest.mark.parametrize(
    "content", [np.zeros((17, 63)), np.full((17, 64), np.nan), np.array(["a"]), b"no array"]
)
def test_what_is_no_matrix_is_refused(tmp_path: Path, content: object) -> None:
    file = tmp_path / "m.npy"
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        np.save(file, content)
    with pytest.raises(KeywarpError, match=r"m\.npy .*expected"):
        read_matrix(file)


def neutral() -> np.ndarray:
    """(68, 2): a schematic face, y up; the character's right is on the picture's left."""
    face = np.zeros((68, 2))
    t = np.linspace(np.pi, 2 * np.pi, 17)
    face[:17] = np.stack([np.cos(t), 1.2 * np.sin(t)], -1)
    for start, x in ((17, -0.75), (22, 0.15)):
        face[start : start + 5] = np.stack([np.linspace(x, x + 0.6, 5), np.full(5, 0.5)], -1)
    face[27:36] = np.stack([np.linspace(-0.15, 0.15, 9), np.linspace(0.3, -0.2, 9)], -1)
    for start, x in ((36, -0.45), (42, 0.45)):
        angle = np.pi - np.arange(6) * np.pi / 3
        face[start : start + 6] = np.stack([x + 0.2 * np.cos(angle), 0.25 + 0.09 * np.sin(angle)], -1)
    for start, count, size in ((48, 12, 1.0), (60, 8, 0.7)):
        angle = np.pi - np.arange(count) * 2 * np.pi / count
        face[start : start + count] = np.stack(
            [0.35 * size * np.cos(angle), -0.6 + 0.1 * size * np.sin(angle)], -1
        )
    return face


def able_face() -> LinearFace:
    """A linear model whose components are mixtures of all that the expressions ask for, and of noise."""
    mean = neutral()
    wanted = np.stack([moved - mean for moved in moved_landmarks(mean).values()])
    random = np.random.default_rng(3)
    parts = np.concatenate([wanted, 0.01 * random.standard_normal((47, 68, 2))])
    mixture, _ = np.linalg.qr(random.standard_normal((64, 64)))
    return LinearFace(mean, np.tensordot(mixture, parts, 1))


def test_expressions_move_what_they_name() -> None:
    mean = neutral()
    moved = {name: face - mean for name, face in moved_landmarks(mean).items()}
    assert tuple(moved) == NAMES
    right, left = np.arange(36, 42), np.arange(42, 48)
    for side, own, other in (("left", left, right), ("right", right, left)):
        closed = moved[f"eye_closed_{side}"]
        assert np.abs(closed[own]).max() > 0.1
        assert np.abs(closed[other]).max() == 0
        # The lids meet.
        face = mean + closed
        np.testing.assert_allclose(face[own[1:3]], face[own[[5, 4]]], atol=1e-12)
        assert (moved[f"eye_wide_{side}"][own[1:3], 1] > 0).all()
    assert (moved["brow_angry_left"][22:27, 1][[0, 4]] * [-1, 1] > 0).all()
    assert (moved["brow_sad_right"][17:22, 1][[0, 4]] * [-1, 1] > 0).all()
    assert moved["mouth_a"][57, 1] < moved["mouth_e"][57, 1] < moved["mouth_i"][57, 1] < 0
    width = {v: np.ptp((mean + moved[f"mouth_{v}"])[48:60, 0]) for v in "aeiou"}
    assert width["u"] < width["o"] < width["a"] < width["e"] < width["i"]


def test_an_able_model_s_landmarks_become_those_of_each_expression() -> None:
    face = able_face()
    matrix = fitted_matrix(face, 1e-7)
    for row, moved in zip(matrix, moved_landmarks(face.mean).values(), strict=True):
        reached, before = np.abs(face(row) - moved).max(), np.abs(face.mean - moved).max()
        assert reached < 0.02 * before


def test_the_fit_is_the_minimum_that_an_optimiser_finds() -> None:
    face = able_face()
    name, weight = "mouth_o", 1e-2
    target = moved_landmarks(face.mean)[name]
    basis = face.basis.reshape(64, -1)
    penalty = weight * np.linalg.norm(basis, 2) ** 2

    def energy(coefficients: np.ndarray) -> float:
        return float(np.square(face(coefficients) - target).sum() + penalty * np.square(coefficients).sum())

    found = minimize(energy, np.zeros(64), method="BFGS", options={"gtol": 1e-9}).x
    np.testing.assert_allclose(fitted_matrix(face, weight)[NAMES.index(name)], found, atol=1e-4)


def test_regularisation_keeps_coefficients_small() -> None:
    face = able_face()
    assert np.linalg.norm(fitted_matrix(face, 1.0)) < 0.7 * np.linalg.norm(fitted_matrix(face, 1e-4))


def test_a_model_s_file_is_read_or_refused(tmp_path: Path) -> None:
    face = able_face()
    np.savez(tmp_path / "face.npz", mean=face.mean, basis=face.basis)
    found = read_face(tmp_path / "face.npz")
    np.testing.assert_array_equal(found.basis, face.basis)
    np.savez(tmp_path / "bad.npz", mean=face.mean, basis=face.basis[:10])
    for name in ("bad.npz", "none.npz"):
        with pytest.raises(KeywarpError, match=rf"{name} .*expected a .npz with mean"):
            read_face(tmp_path / name)
