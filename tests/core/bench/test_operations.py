# SPDX-License-Identifier: GPL-3.0-or-later
"""What graphs compute is counted as PyTorch's own counter does it, which takes a multiplication and an addition as
two."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

torch = pytest.importorskip("torch")

from keywarp.core.bench.operations import counted, multiply_adds  # noqa: E402
from keywarp.core.models.onnx_export import export_onnx  # noqa: E402
from keywarp.core.runtime.session import open_session  # noqa: E402


class Mixed(torch.nn.Module):  # type: ignore[misc, name-defined]
    """Every operation that counts, with strides, groups, and sizes that are worked out as it goes."""

    def __init__(self) -> None:
        super().__init__()
        self.narrow = torch.nn.Conv2d(4, 8, 3, stride=2, padding=1)
        self.grouped = torch.nn.Conv2d(8, 8, 5, padding=2, groups=4)
        self.up = torch.nn.ConvTranspose2d(8, 6, 4, 2, 1)
        self.line = torch.nn.Linear(6, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.up(self.grouped(self.narrow(x)))
        x = torch.nn.functional.interpolate(x, scale_factor=0.5)
        rows = self.line(x.flatten(2).transpose(1, 2))
        return rows @ rows.transpose(1, 2)


@pytest.fixture
def graph(tmp_path: Path) -> tuple[Path, int]:
    """A graph, and PyTorch's count."""
    from torch.utils.flop_counter import FlopCounterMode

    module, x = Mixed().eval(), torch.zeros(1, 4, 32, 32)
    export_onnx(module, {"x": x}, ["y"], tmp_path / "mixed.onnx")
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(x)
    return tmp_path / "mixed.onnx", counter.get_total_flops() // 2


def test_a_graph_s_products_are_those_that_pytorch_counts(graph: tuple[Path, int]) -> None:
    path, wanted = graph
    assert multiply_adds(path) == multiply_adds(path.read_bytes()) == wanted


def test_every_run_within_is_counted_and_none_after(graph: tuple[Path, int]) -> None:
    path, wanted = graph
    given = {"x": np.zeros((1, 4, 32, 32), np.float32)}
    plain = ort.InferenceSession
    with counted() as tally:
        session = open_session(path)
        for _ in range(3):
            session.run(None, given)
    open_session(path).run(None, given)
    assert tally.multiply_adds == 3 * wanted
    assert ort.InferenceSession is plain
