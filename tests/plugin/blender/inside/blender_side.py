# SPDX-License-Identifier: GPL-3.0-or-later
"""What checks inside Blender share: the engine and the characters that the tests use."""

from __future__ import annotations

import json
import os
from pathlib import Path

from keywarp.plugin.blender import session

FULL = os.environ["KEYWARP_TEST_FULL"] == "1"
CHARACTER = Path(os.environ["KEYWARP_TEST_CHARACTER"])
"""The folder of the synthetic character."""
FOLLOWER = Path(os.environ["KEYWARP_TEST_FOLLOWER"])
"""The file of a character that follows a driving video of four frames, twelve a second."""
SHARED = Path(os.environ["KEYWARP_TEST_SHARED"]) if os.environ["KEYWARP_TEST_SHARED"] else None
"""The folder of reference data; ``None`` where there is none."""


def set_engine() -> None:
    """Have the extension start the engine of the Python that runs the tests."""
    session.use_engine(
        json.loads(os.environ["KEYWARP_TEST_ENGINE"]), {"PYTHONPATH": os.environ["PYTHONPATH"]}
    )
