# SPDX-License-Identifier: GPL-3.0-or-later
"""Mappings between pose spaces. Any two that each meet ``tha45`` meet each other through it."""

from __future__ import annotations

from keywarp.keyframes.mappings.base import Mapping
from keywarp.keyframes.mappings.clips import convert_clip
from keywarp.keyframes.mappings.registry import MAPPINGS, cannot_carry, convert, mapping, route

__all__ = ["MAPPINGS", "Mapping", "cannot_carry", "convert", "convert_clip", "mapping", "route"]
