# SPDX-License-Identifier: GPL-3.0-or-later
"""What commands say about clips."""

from __future__ import annotations

from keywarp.keyframes.clip import Clip
from keywarp.keyframes.mappings.losses import moving


def summary(clip: Clip) -> str:
    """Length, rate, space and number of channels in one line."""
    return (
        f"frames {clip.start:g} to {clip.end:g} at {clip.fps:g} fps ({clip.seconds:.2f} s), pose space "
        f"{clip.space}, {len(moving(clip))} of {len(clip.pose_space)} channels move"
    )
