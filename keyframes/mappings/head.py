# SPDX-License-Identifier: GPL-3.0-or-later
"""How many degrees the head turns where tha45 says 1, for all mappings that know degrees."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from keywarp.keyframes.errors import KeywarpError


@dataclass(frozen=True)
class HeadSettings:
    """Degrees that 1 stands for, as THA's own tracker converter has them.

    A smaller number makes the character move more than the person in front of the camera.
    """

    head_x_degrees: float = 15.0
    head_y_degrees: float = 10.0
    neck_z_degrees: float = 15.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(field.default, float):
                continue
            if not isinstance(value, (int, float)) or not math.isfinite(value):
                raise KeywarpError(f"the setting {field.name} is {value!r}, where a finite number belongs")
            if field.name.endswith("_degrees") and not value > 0:
                raise KeywarpError(f"the setting {field.name} is {value}, where a number above 0 belongs")
