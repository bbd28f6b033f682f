# SPDX-License-Identifier: GPL-3.0-or-later
"""How much detail a picture really has, in a sentence."""

from __future__ import annotations


def true_detail(width: int, height: int, scale: float) -> str:
    """``scale``: frame pixels per picture pixel."""
    picture = f"the picture has {width}x{height} pixels"
    if scale > 1.005:
        return f"{picture}, enlarged {scale:.1f} times: no finer detail than that"
    if scale < 0.995:
        return f"{picture}, reduced to {scale:.0%}: all the detail that fits"
    return f"{picture}, shown one to one"
