# SPDX-License-Identifier: GPL-3.0-or-later
"""The clips that keywarp ships, for a first try. Each names its author, licence and source."""

from __future__ import annotations

from pathlib import Path


def shipped() -> dict[str, Path]:
    """The clip files by name, in the order of their names."""
    return {path.stem: path for path in sorted(Path(__file__).parent.glob("*.json"))}
