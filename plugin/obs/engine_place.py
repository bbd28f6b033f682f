# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the engine of this installation is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Optional

PLACE = "keywarp_engine.json"
"""The file beside the script that names the engine's Python; ``install/run.py obs`` writes it."""
_MAX_BYTES = 1 << 20


def engine_command(folder: Path) -> Optional[list[str]]:
    """What starts an engine, by the file in the script's folder; ``None`` where no engine is installed."""
    file = folder / PLACE
    try:
        if file.stat().st_size > _MAX_BYTES:
            return None
        python = Path(str(json.loads(file.read_text(encoding="utf-8"))["python"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return [str(python), "-s", "-u", "-m", "keywarp.core.engine"] if python.is_file() else None
