# SPDX-License-Identifier: GPL-3.0-or-later
"""Sine networks (SIREN) on the CPU: matrix products by ONNX Runtime, sines by OpenCV.

ONNX Runtime's own sine on the CPU costs as much as the matrix product before it. OpenCV computes sine and
cosine together with vector instructions, to 2e-7, in less than half of that time. So a network for the
CPU is cut at its sines into segments; a network for a GPU stays whole. Both come from one description.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort

from keywarp.core.motion import FloatImage
from keywarp.core.opencv import cv2
from keywarp.core.runtime.graph import Graph
from keywarp.core.runtime.session import open_session

CHUNK = 1 << 15
"""Elements whose sines are taken together: the cosines that come with them stay in the second-level cache."""


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
    ones: FloatImage
    cosines: FloatImage


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
                _sine_in_place(work.outputs[i][0], work.cosines, work.ones)
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
        work.ones, work.cosines = np.ones((1, CHUNK), np.float32), np.empty((1, CHUNK), np.float32)
        work.bindings, work.outputs = bindings, outputs


def _sine_in_place(x: FloatImage, cosines: FloatImage, ones: FloatImage) -> None:
    flat = x.reshape(1, -1)
    for start in range(0, flat.shape[1], CHUNK):
        part = flat[:, start : start + CHUNK]
        n = part.shape[1]
        cv2.polarToCart(ones[:, :n], part, x=cosines[:, :n], y=part)
