# SPDX-License-Identifier: GPL-3.0-or-later
"""``keywarp posemap``: a morphable model's file in, a mapping that AniMo reads out."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from keywarp.core.models.animo.fitting import LinearFace, fitted_matrix
from keywarp.core.models.animo.pose_mapping import mapping_for
from tests.plugin.cli.conftest import Runner


def test_a_model_s_expressions_become_a_mapping(keywarp: Runner, tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    face = LinearFace(random.standard_normal((68, 3)), random.standard_normal((64, 68, 3)))
    np.savez(tmp_path / "face.npz", mean=face.mean, basis=face.basis)
    done = keywarp("posemap", tmp_path / "face.npz", "-o", tmp_path / "pose_mapping.npy")
    assert done.status == 0, done.err
    found = mapping_for(tmp_path / "animo.ckpt")
    assert found.origin == "pose_mapping.npy"
    np.testing.assert_allclose(found.matrix, fitted_matrix(face))


def test_what_is_no_model_is_refused(keywarp: Runner, tmp_path: Path) -> None:
    np.savez(tmp_path / "face.npz", mean=np.zeros((5, 2)), basis=np.zeros((64, 5, 2)))
    out = tmp_path / "m.npy"
    assert "expected a .npz with mean" in keywarp("posemap", tmp_path / "face.npz", "-o", out).sentence
    assert ".npy" in keywarp("posemap", tmp_path / "face.npz", "-o", tmp_path / "m.txt").sentence
    assert not out.exists()
