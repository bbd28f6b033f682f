# SPDX-License-Identifier: GPL-3.0-or-later
"""New content found by a graph is that found by OpenCV."""

from __future__ import annotations

import cv2
import numpy as np
import onnxruntime as ort
import pytest

from keywarp.core.newness import newness
from keywarp.core.newness_graph import newness as newness_in
from keywarp.core.runtime.graph import DEVICE_OPSET, Graph


@pytest.mark.parametrize("change", [0.02, 0.1, 0.5])
def test_the_graph_agrees_up_to_the_border(change: float) -> None:
    random = np.random.default_rng(3)
    height, width = 61, 83
    image = np.clip(cv2.GaussianBlur(random.random((height, width, 4), np.float32), (0, 0), 2), 0, 1)
    other = np.clip(image + change * random.standard_normal(image.shape).astype(np.float32), -0.1, 1.2)
    graph = Graph("newness", DEVICE_OPSET)
    a, b = (graph.input(name, [1, 4, height, width]) for name in ("a", "b"))
    graph.output("new", newness_in(graph, a, b), [1, 1, height, width])
    session = ort.InferenceSession(graph.build().SerializeToString(), providers=["CPUExecutionProvider"])
    feeds = {name: x.transpose(2, 0, 1)[None].copy() for name, x in (("a", image), ("b", other))}
    answer = session.run(None, feeds)[0][0, 0]
    expected = newness(image, other)
    # One 8-bit step of the ramp: a rounding that falls on the other side.
    step = 1 / (255 * 0.07)
    assert np.abs(answer - expected).max() <= step + 1e-5
    assert (np.abs(answer - expected) > 1e-5).mean() < 1e-3
    assert expected.max() > 0 or change < 0.05
