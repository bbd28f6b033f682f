# SPDX-License-Identifier: GPL-3.0-or-later
"""The contract between the training loop and a family: a batch in, the terms of a loss out. Needs PyTorch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from keywarp.core.layered import FIELDS
from keywarp.core.training.sample import REGIONS, Example


class Portion(Protocol):
    """A part of a batch, as a loop handles it."""

    def pin_memory(self) -> Portion: ...

    def to(self, device: torch.device) -> Portion: ...


@dataclass
class Batch:
    """Examples as tensors, images channels first; see ``Example``."""

    rest: Tensor
    """(N, 4, H, W) premultiplied, linear light, [0, 1]."""
    posed: Tensor
    pose: Tensor
    """(N, C); where domains' poses differ in length, the shorter ones end in zeros."""
    paired: Tensor
    """(N,) bool"""
    flow: Tensor
    """(N, 2, H, W)"""
    visible: Tensor
    """(N, 1, H, W)"""
    has_flow: Tensor
    """(N,) bool"""
    regions: Tensor
    """(N, R, H, W)"""
    domain: Tensor
    """(N,) int64: which of the recipe's domains an example is from; 0 where there is one."""
    layers: Tensor = field(default_factory=lambda: torch.zeros(0))
    """(N, 4 L, H, W): see ``Example.layers``."""
    layered: Tensor = field(default_factory=lambda: torch.zeros(0))
    """(N, K (FIELDS + 5), H, W): of each of K layers its colour, where it is seen, and its fields, see
    ``core.layered``."""
    joints: Tensor = field(default_factory=lambda: torch.zeros(0))
    """(N, 4, 3): see ``Layered.joints``."""

    def __len__(self) -> int:
        return int(self.pose.shape[0])

    def pin_memory(self) -> Batch:
        return Batch(**{f.name: getattr(self, f.name).pin_memory() for f in fields(self)})

    def to(self, device: torch.device) -> Batch:
        """On the device; images there in the memory order that convolutions like (channels last)."""
        moved = {}
        for f in fields(self):
            x: Tensor = getattr(self, f.name).to(device, non_blocking=True)
            moved[f.name] = x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x
        return Batch(**moved)

    def region(self, name: str) -> Tensor:
        """(N, 1, H, W): the mask of a region."""
        at = REGIONS.index(name)
        return self.regions[:, at : at + 1]


def batch_of(examples: Sequence[Example]) -> Batch:
    """Examples of one side, put together."""

    def images(planes: Sequence[npt.NDArray[Any]]) -> Tensor:
        return torch.from_numpy(np.stack(planes)).permute(0, 3, 1, 2).contiguous()

    return Batch(
        rest=images([e.rest for e in examples]),
        posed=images([e.posed for e in examples]),
        pose=_poses(examples),
        paired=torch.tensor([e.paired for e in examples]),
        flow=images([e.flow for e in examples]),
        visible=images([e.visible[..., None] for e in examples]),
        has_flow=torch.tensor([e.has_flow for e in examples]),
        regions=images([e.regions for e in examples]),
        domain=torch.tensor([e.domain for e in examples]),
        layers=images([e.layers for e in examples]),
        layered=_stacked(examples),
        joints=torch.from_numpy(
            np.stack([_NO_JOINTS if e.layered is None else e.layered.joints for e in examples])
        ),
    )


_NO_JOINTS = np.zeros((0, 3), np.float32)


def _stacked(examples: Sequence[Example]) -> Tensor:
    """(N, K (FIELDS + 5), H, W): see ``Batch.layered``; empty where any of them has no layers."""
    every = [e.layered for e in examples if e.layered is not None]
    if len(every) < len(examples):
        return torch.zeros(0)
    n, wide = len(every[0].layers[0].seen), FIELDS + 5
    out = np.zeros((len(every), n, n, len(every[0].layers) * wide), np.float32)
    for planes, layered in zip(out, every, strict=True):
        for number, layer in enumerate(layered.layers):
            first = number * wide
            planes[..., first : first + 4] = layer.colour
            planes[..., first + 4] = layer.seen
            planes[..., first + 5 : first + wide] = layer.fields
    return torch.from_numpy(out).permute(0, 3, 1, 2)


def _poses(examples: Sequence[Example]) -> Tensor:
    poses = torch.zeros(len(examples), max(len(e.pose) for e in examples))
    for row, e in zip(poses, examples, strict=True):
        row[: len(e.pose)] = torch.from_numpy(np.asarray(e.pose, np.float32))
    return poses


@dataclass(frozen=True)
class Turn:
    """An update within a step: which networks learn, and how often in a row, each time from a new batch."""

    name: str
    networks: tuple[str, ...]
    repeats: int = 1
    phases: tuple[str, ...] = ()
    """The recipe's phases that it belongs to; none: every one."""


@dataclass
class Answer:
    """What a family answers to a batch, for scores and sheets: as ``Motion``, channels first."""

    image: Tensor
    flow: Tensor
    painted: Tensor
    warped: Tensor


class Learning(Protocol):
    """Networks with their losses: what the loop knows of them."""

    @property
    def networks(self) -> Mapping[str, nn.Module]: ...

    @property
    def kept(self) -> Sequence[str]:
        """The networks that the animator needs; of these there are averaged weights."""
        ...

    @property
    def turns(self) -> Sequence[Turn]:
        """What a step consists of, in order."""
        ...

    def losses(self, turn: str, batch: Any) -> dict[str, Tensor]:
        """For what the stream's examples were put together to, by default a ``Batch``: the weighted terms whose
        sum this turn's networks lower, by name; anything random that is drawn here from PyTorch's generators
        repeats itself after a resume."""
        ...


class Learner(Learning, Protocol):
    """Networks of a family: they answer to examples, too."""

    def answer(self, batch: Batch) -> Answer:
        """The answers to the batch's rest pictures and poses, without gradients."""
        ...
