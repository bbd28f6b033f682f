# SPDX-License-Identifier: GPL-3.0-or-later
"""The small character, as a file with its texture."""

from __future__ import annotations

from pathlib import Path

import pytest

from .models import bust, pmx_bytes, texture_png


@pytest.fixture
def bust_file(tmp_path: Path) -> Path:
    """``Bust.pmx`` in a folder of its own; one of its two textures is missing."""
    folder = tmp_path / "bust"
    folder.mkdir()
    (folder / "skin.png").write_bytes(texture_png())
    (folder / "Bust.pmx").write_bytes(pmx_bytes(bust()))
    return folder / "Bust.pmx"
