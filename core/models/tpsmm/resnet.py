# SPDX-License-Identifier: GPL-3.0-or-later
"""ResNet-18 (He et al. 2016) with the usual names of its parameters: TPSMM's keypoint and background encoders."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from keywarp.core.models.tpsmm.layout import RESNET_STAGES


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with batch norm, added to the input."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.stride = stride
        self.downsample = None
        if inputs != outputs:
            shorter = nn.Conv2d(inputs, outputs, 1, bias=False)
            self.downsample = nn.Sequential(shorter, nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        # The stride is taken before the 1x1 convolution, which is the same: oneDNN's strided one writes beyond its
        # gradient where few channels lie last in memory.
        s = self.stride
        kept = x if self.downsample is None else self.downsample(x[:, :, ::s, ::s])
        y = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(y)) + kept)


class ResNet18(nn.Module):
    """Pictures (N, inputs, H, W) to (N, outputs)."""

    def __init__(self, inputs: int, outputs: int, width: int = 64) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        carried = width
        for stage in range(RESNET_STAGES):
            wide = width << stage
            first = BasicBlock(carried, wide, 1 if stage == 0 else 2)
            setattr(self, f"layer{stage + 1}", nn.Sequential(first, BasicBlock(wide, wide, 1)))
            carried = wide
        self.fc = nn.Linear(carried, outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.max_pool2d(functional.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        for stage in range(RESNET_STAGES):
            x = getattr(self, f"layer{stage + 1}")(x)
        out: Tensor = self.fc(x.mean((2, 3)))
        return out
