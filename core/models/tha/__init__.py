# SPDX-License-Identifier: GPL-3.0-or-later
"""Talking Head Anime (papers: Talking Head Anime 4): how its checkpoints are recognised and opened."""

from __future__ import annotations

from pathlib import Path

from keywarp.core.models.base import ModelSource


class ThaFamily:
    """The five networks in their three forms, as checkpoints or as EasyVtuber's graphs, and the THA4 student; see
    ``teacher_layout``, ``easyvtuber`` and ``student_layout`` for what they are recognised by."""

    name = "tha"

    def find(self, path: Path) -> ModelSource | None:
        from keywarp.core.models.tha.easyvtuber import find_easyvtuber
        from keywarp.core.models.tha.student_files import find_student
        from keywarp.core.models.tha.teacher_files import find_teacher

        return find_teacher(path) or find_easyvtuber(path) or find_student(path)


FAMILY = ThaFamily()
