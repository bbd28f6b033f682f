# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the installer's modules importable: they belong to the repository, not to the distribution."""

from __future__ import annotations

import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
if str(REPOSITORY) not in sys.path:
    sys.path.insert(0, str(REPOSITORY))
