# SPDX-License-Identifier: GPL-3.0-or-later
"""The stages of an evaluation of Talking Head Anime's five networks: ONNX files, whoever exported them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from keywarp.core.motion import FloatImage
from keywarp.core.runtime.session import Device, open_session, worker_count

STAGES = ("layers", "brows", "face", "body")
"""See the table of ``teacher_export``."""

#: (1, C, H, W) or (1, C), float32, by name.
Arrays = dict[str, FloatImage]
_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


@dataclass(frozen=True)
class StageFile:
    """A graph on disk."""

    path: Path
    names: Mapping[str, str] = field(default_factory=dict)
    """What its inputs and outputs are called here, where the graph calls them otherwise."""


class Stage:
    """Graphs that run one after another."""

    def __init__(self, files: Sequence[StageFile], device: Device) -> None:
        self._graphs = [(open_session(file.path, device, worker_count()), dict(file.names)) for file in files]

    def run(self, values: Arrays) -> Arrays:
        """What the graphs answer to ``values``, of which each takes what it knows, and to one another."""
        answers: Arrays = {}
        for session, names in self._graphs:
            known = values | answers
            feed = {
                value.name: known[names.get(value.name, value.name)].astype(_TYPES[value.type], copy=False)
                for value in session.get_inputs()
            }
            gives = [names.get(value.name, value.name) for value in session.get_outputs()]
            found = (np.asarray(value, np.float32) for value in session.run(None, feed))
            answers |= dict(zip(gives, found, strict=True))
        return answers
