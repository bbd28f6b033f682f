# SPDX-License-Identifier: GPL-3.0-or-later
"""Talking Head Anime (papers: Talking Head Anime 4): how its checkpoints are recognised and opened."""

from __future__ import annotations

from pathlib import Path

from keywarp.core.models.base import ModelSource


class ThaFamily:
    """The THA4 student; see ``student_layout`` for what it is recognised by."""

    name = "tha"

    def find(self, path: Path) -> ModelSource | None:
        from keywarp.core.models.tha.student_files import find_student

        return find_student(path)


FAMILY = ThaFamily()
