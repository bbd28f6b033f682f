# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenCV, without its type stubs: they say that every image may hold any numbers, and know no ``None`` for a map."""

from __future__ import annotations

from typing import Any

import cv2 as _cv2

cv2: Any = _cv2
