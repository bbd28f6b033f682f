# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of THA's mouth shapes a tracked mouth is made of: a small least-squares problem in closed form."""

from __future__ import annotations

from itertools import product

import numpy as np

from keywarp.keyframes.channels import Poses

#: What each shape looks like to a tracker: (open, lower lip down, funnel, pucker).
PROTOTYPES: Poses = np.array(
    [
        [1.0, 1.0, 0.0, 0.0],  # mouth_aaa
        [0.0, 1.0, 0.0, 0.0],  # mouth_iii
        [0.5, 0.3, 0.25, 0.75],  # mouth_uuu
        [1.0, 0.5, 0.5, 0.4],  # mouth_ooo
    ]
)
#: Weight of the sum of the shapes' weights beside the squared error, which keeps spurious shapes out.
SPARSITY = 0.01

_GRAM = PROTOTYPES @ PROTOTYPES.T
#: Rows solved at once: bounds the memory (some 7 MB), not the result.
_ROWS = 2048
_SLACK = 1e-9


def _solution_on_face(state: tuple[str, ...]) -> Poses:
    """The weights that minimise the loss with some of them held at 0 or 1, as (4, 5).

    Affine in the tracked point: ``weights = solution @ (open, lower down, funnel, pucker, 1)``.
    """
    solution = np.zeros((4, 5))
    free = [i for i in range(4) if state[i] == "free"]
    ones = [i for i in range(4) if state[i] == "one"]
    solution[ones, 4] = 1.0
    if free:
        right_side = np.concatenate((PROTOTYPES[free], np.full((len(free), 1), -SPARSITY / 2)), axis=1)
        right_side[:, 4] -= _GRAM[np.ix_(free, ones)].sum(axis=1)
        solution[free] = np.linalg.solve(_GRAM[np.ix_(free, free)], right_side)
    return solution


#: (81, 4, 5): every way in which each of the four weights is free, at 0, or at 1.
_FACES: Poses = np.stack([_solution_on_face(state) for state in product(("free", "zero", "one"), repeat=4)])


def shapes(points: Poses) -> Poses:
    """Weights of (aaa, iii, uuu, ooo), (N, 4), each from 0 to 1, for tracked points, (N, 4).

    Minimises ``|weights @ PROTOTYPES - point|^2 + SPARSITY * sum(weights)``, exactly: the loss is
    strictly convex, so that its minimum over the unit box is the best of the stationary points that
    lie within the box among those of the box's 81 faces (interior, sides, edges, corners).
    """
    solved = [_shapes_of_block(points[i : i + _ROWS]) for i in range(0, len(points), _ROWS)]
    return np.concatenate(solved) if solved else np.zeros((0, 4))


def _shapes_of_block(points: Poses) -> Poses:
    extended = np.concatenate((points, np.ones((len(points), 1))), axis=1)
    candidates = np.einsum("fwp,np->nfw", _FACES, extended)
    inside = ((candidates >= -_SLACK) & (candidates <= 1.0 + _SLACK)).all(axis=2)
    error = candidates @ PROTOTYPES - points[:, None, :]
    loss = (error**2).sum(axis=2) + SPARSITY * candidates.sum(axis=2)
    best = np.where(inside, loss, np.inf).argmin(axis=1)
    solved: Poses = np.clip(candidates[np.arange(len(points)), best], 0.0, 1.0)
    return solved
