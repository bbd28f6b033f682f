# SPDX-License-Identifier: GPL-3.0-or-later
"""Graphs that hand values to each other, and what is said when a device fails."""

from __future__ import annotations

import numpy as np
import pytest

from keywarp.core.motion import Motion
from keywarp.core.runtime.device import DeviceGraph, DeviceMotion, over_host, page_locked, to_device
from keywarp.core.runtime.graph import DEVICE_OPSET, Graph
from keywarp.core.runtime.session import cuda_available, open_session
from keywarp.keyframes.errors import KeywarpError


def plus(amount: float) -> bytes:
    graph = Graph("plus", DEVICE_OPSET)
    graph.output("y", graph.op("Add", graph.input("x", [2, 3]), amount), [2, 3])
    content: bytes = graph.build().SerializeToString()
    return content


def test_one_graph_s_output_is_the_next_one_s_input() -> None:
    first, second = DeviceGraph(plus(1.0), "cpu"), DeviceGraph(plus(10.0), "cpu")
    source = to_device(np.zeros((2, 3), np.float32), "cpu")
    first.bind(x=source)
    second.bind(x=first.outputs["y"])
    target = np.zeros((2, 3), np.float32)
    second.bind_output("y", over_host(target))
    for value in (0.0, 5.0):
        source.update_inplace(np.full((2, 3), value, np.float32))
        first.run()
        second.run()
        np.testing.assert_array_equal(target, value + 11)


def test_a_motion_comes_back_as_it_was() -> None:
    random = np.random.default_rng(0)
    motion = Motion(*(random.random((5, 7, n), np.float32) for n in (4, 2, 1)))
    back = DeviceMotion.of(motion, "cpu").read()
    for name in ("image", "flow", "painted"):
        np.testing.assert_array_equal(getattr(back, name), getattr(motion, name))


def test_outputs_need_contiguous_memory() -> None:
    with pytest.raises(ValueError, match="contiguous"):
        over_host(np.zeros((4, 4), np.float32)[:, ::2])


def test_a_failure_is_one_sentence() -> None:
    graph = DeviceGraph(plus(1.0), "cpu")
    with pytest.raises(KeywarpError, match="the device cpu failed") as caught:
        graph.run()
    assert "\n" not in str(caught.value)


def test_locking_pages_changes_nothing_that_is_seen() -> None:
    array = np.arange(5000, dtype=np.uint8)
    assert page_locked(array) is array
    np.testing.assert_array_equal(array, np.arange(5000, dtype=np.uint8))


@pytest.mark.skipif(cuda_available(), reason="there is a CUDA device")
def test_without_cuda_nothing_runs_elsewhere_unasked(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeywarpError, match="cannot be run by ONNX Runtime"):
        open_session(plus(1.0), "cuda")
    assert "Falling back" not in capfd.readouterr().out
