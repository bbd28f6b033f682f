# SPDX-License-Identifier: GPL-3.0-or-later
"""Expression categories: the Radboud Faces Database's seven besides neutral (Langner et al. 2010), as weights.

Networks that are driven by categories know each of them wholly shown; weights in between blend their motions
(papers/atw, section 4.1). Weights that sum to more than 1 show several at once.
"""

from __future__ import annotations

from keywarp.keyframes.channels import PoseSpace
from keywarp.keyframes.spaces.rows import EXPRESSION, one

NAMES = ("angry", "contemptuous", "disgusted", "fearful", "happy", "sad", "surprised")

SPACE = PoseSpace(
    "expressions7",
    "Expression categories of the Radboud Faces Database, each from 0, neutral, to 1",
    tuple(one(name, EXPRESSION, name) for name in NAMES),
)
