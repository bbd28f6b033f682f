# SPDX-License-Identifier: GPL-3.0-or-later
"""ResWarp: full-size detail for low-resolution motion (papers: Animating Through Warping, section 3.4)."""

from keywarp.core.reswarp.warper import ResWarp as ResWarp
