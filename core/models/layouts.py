# SPDX-License-Identifier: GPL-3.0-or-later
"""Layouts of networks as facts: names and shapes of the tensors of usual layers, as PyTorch names them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

Shape = tuple[int, ...]
Shapes = dict[str, Shape]
Row = tuple[str, Shape]


def conv(name: str, inputs: int, outputs: int, side: int) -> Iterator[Row]:
    """A square convolution with a bias."""
    yield f"{name}.weight", (outputs, inputs, side, side)
    yield f"{name}.bias", (outputs,)


def linear(name: str, inputs: int, outputs: int) -> Iterator[Row]:
    """A fully connected layer with a bias."""
    yield f"{name}.weight", (outputs, inputs)
    yield f"{name}.bias", (outputs,)


def scale(name: str, *shape: int) -> Iterator[Row]:
    """The weight and the bias of a normalisation."""
    yield f"{name}.weight", shape
    yield f"{name}.bias", shape


def widths(shapes: Mapping[str, Shape], pattern: str) -> list[int]:
    """First sizes of the tensors that are numbered by a pattern with ``{}``."""
    found: list[int] = []
    while pattern.format(len(found)) in shapes:
        found.append(shapes[pattern.format(len(found))][0])
    return found
