# SPDX-License-Identifier: GPL-3.0-or-later
"""AniMo (papers: AnimeCeleb, section 3): anime and human heads in one pose space."""

from __future__ import annotations

from pathlib import Path

from keywarp.core.models.base import ModelSource


class AniMoFamily:
    """Checkpoints as the authors publish them; see ``layout`` for what they are recognised by."""

    name = "animo"

    def find(self, path: Path) -> ModelSource | None:
        from keywarp.core.models.animo.files import find_animo

        return find_animo(path)


FAMILY = AniMoFamily()
