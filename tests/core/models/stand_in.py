# SPDX-License-Identifier: GPL-3.0-or-later
"""A model that stands in for a trained one: it slides the whole picture by its pose, so its answers are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx

from keywarp.core.models.blocks_graph import warp
from keywarp.core.models.exported import CARD_FILE, MOTION_FILE, Card
from keywarp.core.runtime.graph import DEVICE_OPSET, Graph
from keywarp.keyframes.spaces import space

SPACE = "animeceleb20gaze"
SIDE = 128
HEAD = (0.0, -0.15, 1.22)
REACH = 0.2
"""By how much the picture slides at 20 degrees of yaw, in the square's units."""


def save_animator(folder: Path, side: int = SIDE, reach: float = REACH) -> Path:
    """A folder as ``keywarp export`` makes it, of the family ``atw``."""
    names = space(SPACE).names
    graph = Graph("stand_in", DEVICE_OPSET)
    rest, pose = graph.input("rest", [1, 4, side, side]), graph.input("pose", [1, len(names)])
    slides = np.zeros((len(names), 2), np.float32)
    slides[names.index("yaw"), 0] = -reach / 20
    moved = graph.op("Reshape", graph.op("MatMul", pose, slides), [1, 2, 1, 1])
    flow = graph.op("Add", moved, np.zeros((1, 2, side, side), np.float32))
    graph.output("image", warp(graph, rest, flow, side), [1, 4, side, side])
    graph.output("flow", flow, [1, 2, side, side])
    graph.output("painted", graph.constant(np.zeros((1, 1, side, side), np.float32)), [1, 1, side, side])
    folder.mkdir(parents=True)
    onnx.save(graph.build(), str(folder / MOTION_FILE))
    card = Card("atw", "a stand-in", SPACE, side, slides.size, "CC0-1.0", "the tests", head=HEAD)
    (folder / CARD_FILE).write_text(card.text(), encoding="utf-8")
    (folder / "README.md").write_text(
        "CC0-1.0\n\n    keywarp train atw --data somewhere -o run\n", encoding="utf-8"
    )
    (folder / "log.csv").write_text("step,loss\n1,0.5\n", encoding="utf-8")
    return folder
