# SPDX-License-Identifier: GPL-3.0-or-later
"""The Thin-Plate Spline Motion Model (papers: TPSMM): motion from a driving video."""

from __future__ import annotations

from pathlib import Path

from keywarp.core.models.base import ModelSource


class TpsmmFamily:
    """Checkpoints as the authors publish them; see ``layout`` for what they are recognised by."""

    name = "tpsmm"

    def find(self, path: Path) -> ModelSource | None:
        from keywarp.core.models.tpsmm.files import find_tpsmm

        return find_tpsmm(path)


FAMILY = TpsmmFamily()
