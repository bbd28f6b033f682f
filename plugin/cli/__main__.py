# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m keywarp.plugin.cli``."""

from __future__ import annotations

import sys

from keywarp.plugin.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
