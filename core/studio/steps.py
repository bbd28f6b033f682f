# SPDX-License-Identifier: GPL-3.0-or-later
"""The pictures between a character at rest and in a pose, as Talking Head Anime's networks go that way: brows off,
brows posed, face posed (``core.training.sample.STAGES``)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from keywarp.core.studio.actor import Actor, read_pose
from keywarp.core.studio.photograph import Studio
from keywarp.keyframes.channels import Poses
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.spaces import space

SPACE = "tha45"
_MOST = 0.04
"""The largest share of a character that its brows are; what moves with larger ones is skin."""
_HOLE = 64
"""Opacity of 255 that the picture must not lose where the brows were."""

Pixels = npt.NDArray[np.uint8]


def without_brows(name: str, studio: Studio) -> dict[str, Pixels]:
    """``bare`` and ``brows`` of the rest picture; raises ``KeywarpError`` where the brows cannot be taken off."""
    bare, brows = studio.taken_apart("brows")
    lost = studio.rest[..., 3].astype(np.int16) - bare[..., 3]
    share = float((brows[..., 3] > 0).sum() / max(int((studio.rest[..., 3] > 0).sum()), 1))
    if not 0 < share <= _MOST or (lost > _HOLE).any():
        raise KeywarpError(
            f"{name}: its brows cannot be taken off, for they have no surface of their own; leave out --stages for it"
        )
    return {"bare": bare, "brows": brows}


def on_the_way(actor: Actor, studio: Studio, rest: Poses, pose: Poses) -> dict[str, Pixels]:
    """``browed`` and ``morphed`` on the way from ``rest`` to ``pose``, (45,) each."""
    channels = space(SPACE).channels
    brows = np.array([channel.name.startswith("eyebrow_") for channel in channels])
    face = np.array([channel.group not in ("Head", "Body") for channel in channels])
    poses = {"browed": np.where(brows, pose, rest), "morphed": np.where(face, pose, rest)}
    return {name: studio.picture(actor.placed(read_pose(SPACE, each))) for name, each in poses.items()}
