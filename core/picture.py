# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures inside keywarp, and the one place where they meet other conventions.

Inside, a picture is (H, W, 4) float32 RGBA, premultiplied, linear light, sRGB primaries.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

#: (H, W, 4) float32 RGBA: premultiplied, linear light, nominally [0, 1].
Picture = npt.NDArray[np.float32]
