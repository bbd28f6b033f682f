# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m keywarp.core.engine``: an engine, as hosts start it."""

from __future__ import annotations

import sys

from keywarp.core.engine.process import main

if __name__ == "__main__":
    sys.exit(main())
