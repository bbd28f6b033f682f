# SPDX-License-Identifier: GPL-3.0-or-later
"""Sine networks (SIREN) on the CPU: matrix products by ONNX Runtime, sines by a kernel of our own.

ONNX Runtime's own sine on the CPU costs as much as the matrix product before it; a polynomial, eight numbers
at a time, a tenth of that. So a network for the CPU is cut at its sines into segments; a network for a GPU
stays whole. Both come from one description.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort

from keywarp.core.motion import FloatImage
from keywarp.core.runtime.graph import Graph
from keywarp.core.runtime.kernels import FLOAT, FLOATS, INDEX, INT, Compiled, Kernel, Value, built_once
from keywarp.core.runtime.session import open_session

_PI = 3.140625, math.pi - 3.140625
"""Pi in two parts, the first so short that its product with a count of half turns is exact."""
_SINE = -0.16666657058526532, 0.008333016354007508, -0.00019806547009989638, 2.599903054535495e-06
"""sin r = r + r^3 (a + b r^2 + c r^4 + d r^6), to 5e-9 within a quarter turn of 0 (fitted for the least largest
error)."""
_LANES = 8


class SineNetwork:
    """A graph under construction whose sines are nodes (``cut=False``) or cuts (``cut=True``).

    ``graph`` is the segment that operators are added to; ``sine`` may replace it.
    """

    def __init__(self, name: str, cut: bool) -> None:
        self._name, self._cut = name, cut
        self._finished: list[onnx.ModelProto] = []
        self.graph = Graph(name)

    def sine(self, x: str, shape: Sequence[int]) -> str:
        """sin(x) for an ``x`` of this shape."""
        if not self._cut:
            return self.graph.op("Sin", x)
        self.graph.output("out", x, shape)
        self._finished.append(self.graph.build())
        self.graph = Graph(f"{self._name}_{len(self._finished)}")
        return self.graph.input("in", shape)

    def models(self) -> list[onnx.ModelProto]:
        """The segments in their order; one where nothing was cut."""
        return [*self._finished, self.graph.build()]


def save_network(network: SineNetwork, folder: Path, name: str) -> None:
    """Write the segments as ``name-0.onnx``, ``name-1.onnx``, ..."""
    for i, model in enumerate(network.models()):
        onnx.save(model, str(folder / f"{name}-{i}.onnx"))


class _Workspace(threading.local):
    """One thread's bindings and buffers."""

    bindings: list[ort.IOBinding]
    outputs: list[list[FloatImage]]


class SineRunner:
    """Runs a saved network, from any number of threads at once."""

    def __init__(self, folder: Path, name: str) -> None:
        files = sorted(folder.glob(f"{name}-*.onnx"), key=lambda file: int(file.stem.rsplit("-", 1)[1]))
        self._sessions = [open_session(file) for file in files]
        self._fed = [[x.name for x in session.get_inputs() if x.name != "in"] for session in self._sessions]
        self._workspace = _Workspace()

    def run(self, feeds: Mapping[str, FloatImage]) -> list[FloatImage]:
        """The outputs for these inputs (contiguous float32, of the graph's shapes).

        The arrays belong to the calling thread's next call: copy what must live longer.
        """
        work = self._workspace
        if not hasattr(work, "bindings"):
            self._bind(work)
        for names, binding in zip(self._fed, work.bindings, strict=True):
            for name in names:
                binding.bind_cpu_input(name, feeds[name])
        last = len(self._sessions) - 1
        for i, (session, binding) in enumerate(zip(self._sessions, work.bindings, strict=True)):
            session.run_with_iobinding(binding)
            if i < last:
                sine_in_place(work.outputs[i][0])
        return work.outputs[last]

    def _bind(self, work: _Workspace) -> None:
        """Bind every segment to buffers of this thread; a segment's sines are taken in place and are the next
        segment's input."""
        bindings: list[ort.IOBinding] = []
        outputs: list[list[FloatImage]] = []
        for session in self._sessions:
            binding = session.io_binding()
            if outputs:
                binding.bind_ortvalue_input("in", ort.OrtValue.ortvalue_from_numpy(outputs[-1][0]))
            arrays = [np.empty(out.shape, np.float32) for out in session.get_outputs()]
            for out, array in zip(session.get_outputs(), arrays, strict=True):
                binding.bind_ortvalue_output(out.name, ort.OrtValue.ortvalue_from_numpy(array))
            bindings.append(binding)
            outputs.append(arrays)
        work.bindings, work.outputs = bindings, outputs


def sine_in_place(x: FloatImage) -> None:
    """sin(x) for the contiguous array x, to 1e-7 while |x| < 3000."""
    _sine_kernel()(x, x.size)


@built_once
def _sine_kernel() -> Compiled:
    kernel = Kernel("sine", FLOATS, INDEX)
    x, count = kernel.arguments
    whole = count // _LANES * _LANES
    with kernel.loop(0, whole, _LANES) as i:
        kernel.store(_sine(kernel.load(x, i, _LANES)), x, i)
    with kernel.loop(whole, count) as i:
        kernel.store(_sine(kernel.load(x, i)), x, i)
    return kernel.compiled()


def _sine(x: Value) -> Value:
    """Taken to within a quarter turn of 0 by half turns, an odd number of which changes the sign."""
    add = x.kernel.multiply_add
    turns = (x * (1 / math.pi)).nearest()
    r = add(turns, -_PI[1], add(turns, -_PI[0], x))
    square = r * r
    series = x.kernel.like(_SINE[-1], x)
    for factor in _SINE[-2::-1]:
        series = add(square, series, factor)
    sign = turns.as_int() << 31
    return (add(square * r, series, r).bits(INT) ^ sign).bits(FLOAT)
