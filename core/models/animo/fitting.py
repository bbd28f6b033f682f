# SPDX-License-Identifier: GPL-3.0-or-later
"""Fitting the pose mapping's matrix to somebody's 3D morphable model (papers: AnimeCeleb, section 3.1, T.0 to T.3).

Landmarks are the usual 68 of a face, (68, 2) or (68, 3), x to the picture's right, y up. "Left" is the character's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from keywarp.core.models.animo.layout import COEFFICIENTS, EXPRESSIONS
from keywarp.core.models.animo.pose_mapping import Matrix
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.spaces import space

Landmarks = npt.NDArray[np.float64]

REGULARISATION = 1e-3
"""Weight of the coefficients' own squares, relative to the basis (T.2: the l2 term)."""
LANDMARKS = 68
MAX_BYTES = 1 << 26

#: Of the 68 landmarks, by the character's sides; the upper lid's against the lower lid's, outer corner first.
_BROW = {"right": range(17, 22), "left": range(26, 21, -1)}
_UPPER_LID = {"right": (37, 38), "left": (44, 43)}
_LOWER_LID = {"right": (41, 40), "left": (46, 47)}
_CORNERS = {"right": (36, 39), "left": (45, 42)}
_MOUTH_CORNERS = (48, 54, 60, 64)
_UPPER_LIP, _LOWER_LIP = (49, 50, 51, 52, 53, 61, 62, 63), (55, 56, 57, 58, 59, 65, 66, 67)
_CHIN = range(5, 12)


@dataclass(frozen=True)
class LinearFace:
    """A morphable model's landmarks: ``mean + coefficients . basis`` (section 3.1, with identity at its average)."""

    mean: Landmarks
    """(68, D): the landmarks of the neutral face, T.0."""
    basis: npt.NDArray[np.float64]
    """(64, 68, D): how they move with each expression coefficient."""

    def __call__(self, coefficients: npt.NDArray[np.float64]) -> Landmarks:
        moved: Landmarks = self.mean + np.tensordot(coefficients, self.basis, 1)
        return moved


def read_face(path: Path) -> LinearFace:
    """A ``.npz`` with ``mean`` (68, D) and ``basis`` (64, 68, D), D 2 or 3; raises ``KeywarpError`` for another."""
    right = "a .npz with mean, (68, 2 or 3), and basis, (64, 68, 2 or 3): a face's landmarks and their expressions"
    try:
        if path.stat().st_size > MAX_BYTES:
            raise KeywarpError(f"{path} is too large; expected {right}")
        with np.load(path, allow_pickle=False) as file:
            mean, basis = file["mean"].astype(np.float64), file["basis"].astype(np.float64)
    except (OSError, ValueError, KeyError, EOFError, AttributeError):
        raise KeywarpError(f"{path} cannot be read; expected {right}") from None
    fits = mean.ndim == 2 and mean.shape[0] == LANDMARKS and mean.shape[1] in (2, 3)
    if not fits or basis.shape != (COEFFICIENTS, *mean.shape) or not np.isfinite(basis).all():
        raise KeywarpError(f"{path} holds arrays of shapes {mean.shape} and {basis.shape}; expected {right}")
    return LinearFace(mean, basis)


def _height(face: Landmarks) -> float:
    """From the brows to the chin: what distances are measured by."""
    return float(face[17:27, 1].mean() - face[8, 1])


def _lid(side: str, share: float, lower: float = 0.0) -> Callable[[Landmarks], None]:
    """The upper lid by ``share`` of the way to the lower one, which rises by ``lower`` of it."""

    def move(face: Landmarks) -> None:
        for up, low in zip(_UPPER_LID[side], _LOWER_LID[side], strict=True):
            gap = face[up] - face[low]
            face[up] -= share * gap
            face[low] += lower * gap

    return move


def _brow(side: str, inner: float, outer: float) -> Callable[[Landmarks], None]:
    """Shares of the face's height by which the brow's ends rise."""

    def move(face: Landmarks) -> None:
        face[list(_BROW[side]), 1] += np.linspace(outer, inner, 5) * _height(face)

    return move


def _mouth(opened: float, wider: float, smile: float = 0.0) -> Callable[[Landmarks], None]:
    """Opened by a share of the face's height, as wide as ``1 + wider`` times, its corners raised by a share."""

    def move(face: Landmarks) -> None:
        height = _height(face)
        lips = list(range(48, 68))
        centre = face[lips, 0].mean()
        face[lips, 0] = centre + (face[lips, 0] - centre) * (1 + wider)
        face[list(_UPPER_LIP), 1] += 0.2 * opened * height
        face[[*_LOWER_LIP, *_CHIN], 1] -= 0.8 * opened * height
        face[list(_MOUTH_CORNERS), 1] += smile * height

    return move


#: T.1: what each of the 17 expressions does to the landmarks of the neutral face, by channel of ``animeceleb20``.
EXPRESSION_MOVES: dict[str, Callable[[Landmarks], None]] = {
    **{f"eye_closed_{side}": _lid(side, 1.0) for side in ("left", "right")},
    **{f"eye_wide_{side}": _lid(side, -0.4) for side in ("left", "right")},
    **{f"eye_smile_{side}": _lid(side, 0.55, 0.45) for side in ("left", "right")},
    **{f"brow_angry_{side}": _brow(side, -0.06, 0.03) for side in ("left", "right")},
    **{f"brow_sad_{side}": _brow(side, 0.06, -0.03) for side in ("left", "right")},
    **{f"brow_raised_{side}": _brow(side, 0.06, 0.06) for side in ("left", "right")},
    "mouth_a": _mouth(0.22, -0.05),
    "mouth_e": _mouth(0.10, 0.10),
    "mouth_i": _mouth(0.04, 0.25, 0.01),
    "mouth_o": _mouth(0.15, -0.30),
    "mouth_u": _mouth(0.05, -0.40),
}


def moved_landmarks(neutral: Landmarks) -> dict[str, Landmarks]:
    """T.1: the landmarks l^k, by expression in the order of ``animeceleb20``."""
    found = {}
    for channel in space("animeceleb20").names[:EXPRESSIONS]:
        face = neutral.copy()
        EXPRESSION_MOVES[channel](face)
        found[channel] = face
    return found


def fitted_matrix(face: LinearFace, regularisation: float = REGULARISATION) -> Matrix:
    """(17, 64): T.2 and T.3, the coefficients whose landmarks come closest to those of each expression, with a
    penalty on their squares. The model is linear, so that the least squares have one answer."""
    basis = face.basis.reshape(COEFFICIENTS, -1)
    scale = float(np.linalg.norm(basis, 2)) ** 2
    system = basis @ basis.T + regularisation * scale * np.eye(COEFFICIENTS)
    wanted = [(moved - face.mean).ravel() for moved in moved_landmarks(face.mean).values()]
    return np.asarray(np.linalg.solve(system, basis @ np.stack(wanted).T).T, np.float64)
