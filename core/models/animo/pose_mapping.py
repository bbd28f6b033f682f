# SPDX-License-Identifier: GPL-3.0-or-later
"""The pose mapping T: AnimeCeleb's 20 numbers to 70 of a 3D morphable model (papers: AnimeCeleb, section 3.1).

``T(b, h) = (b . Phi) + rad(h) + 0``, joined: 17 expression values by a 17 x 64 matrix, the head's angles in radians,
no translation. The matrix is the user's own file of the authors' (no licence is stated for it), one that ``fitting``
has found for somebody's morphable model, or a substitute that says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from keywarp.core.models.animo.layout import COEFFICIENTS, EXPRESSIONS, POSE
from keywarp.keyframes.channels import Poses
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.spaces import space

Matrix = npt.NDArray[np.float64]

MAPPING_FILE = "pose_mapping.npy"
"""(17, 64)"""
AUTHORS_FILE = "pose_coeffs.npy"
"""(17, 257): whole vectors of the morphable model; 64 columns of them are the expression's."""
AUTHORS_SHAPE, EXPRESSION_COLUMNS = (EXPRESSIONS, 257), slice(80, 144)
MAX_BYTES = 1 << 20


@dataclass(frozen=True)
class PoseMapping:
    """The matrix Phi and where it comes from."""

    matrix: Matrix
    """(17, 64)"""
    origin: str
    """For people: a file's name, or that it is a substitute."""

    def __call__(self, poses: npt.ArrayLike) -> Poses:
        """Poses of ``animeceleb20``, (..., 20), to ``bfm70``, (..., 70)."""
        given = np.asarray(poses, np.float64)
        source, target = space("animeceleb20"), space("bfm70")
        out = np.zeros((*given.shape[:-1], POSE))
        out[..., :COEFFICIENTS] = given[..., :EXPRESSIONS] @ self.matrix
        for angle in ("pitch", "yaw", "roll"):
            out[..., target.index(angle)] = np.radians(given[..., source.index(angle)])
        return out


def read_matrix(path: Path) -> PoseMapping:
    """The matrix in a ``.npy`` file: the authors' (17, 257), or (17, 64); raises ``KeywarpError`` for another."""
    right = f"numbers of shape (17, 257), as the authors' {AUTHORS_FILE} has, or (17, 64)"
    try:
        if path.stat().st_size > MAX_BYTES:
            raise KeywarpError(f"{path} is too large for a pose mapping; expected {right}")
        values = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise KeywarpError(f"the pose mapping {path} does not exist; expected {right}") from None
    except (OSError, ValueError, EOFError):
        raise KeywarpError(f"{path} is no NumPy array; expected {right}") from None
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu":
        raise KeywarpError(f"{path} holds no numbers; expected {right}")
    if values.shape == AUTHORS_SHAPE:
        values = values[:, EXPRESSION_COLUMNS]
    if values.shape != (EXPRESSIONS, COEFFICIENTS) or not np.isfinite(values).all():
        raise KeywarpError(f"{path} holds an array of shape {values.shape}; expected finite {right}")
    return PoseMapping(values.astype(np.float64), path.name)


def substitute() -> PoseMapping:
    """An orthonormal matrix: every expression has a direction of its own, but not the one that the authors' networks
    have learnt. For training without a morphable model, where any such matrix does."""
    random = np.random.Generator(np.random.PCG64(1764))
    basis, triangle = np.linalg.qr(random.standard_normal((COEFFICIENTS, EXPRESSIONS)))
    # The signs make the factors the same wherever they are computed.
    rows = (basis * np.sign(np.diag(triangle))).T
    return PoseMapping(rows, "an orthonormal substitute, not the authors' mapping")


def mapping_for(model: Path) -> PoseMapping:
    """The mapping that lies beside a checkpoint (``pose_coeffs.npy`` or ``pose_mapping.npy``), or the substitute."""
    for name in (AUTHORS_FILE, MAPPING_FILE):
        for folder in (model.parent, model.parent / "data", model.parent.parent / "data"):
            if (folder / name).is_file():
                return read_matrix(folder / name)
    return substitute()
