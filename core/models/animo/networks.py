# SPDX-License-Identifier: GPL-3.0-or-later
"""AniMo in PyTorch (papers: AnimeCeleb, section 3.2, figure 7), under the published names.

Pictures are (N, 3, H, W), sRGB, [-1, 1]; H and W multiples of 32 (for other depths: of 2**warping_encoders). A flow
is (N, 2, H / 4, W / 4) in pixels of that field, x then y. Blocks that the paper leaves open are those of PIRenderer
(Ren et al. 2021), on which it builds.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from keywarp.core.models.animo.layout import DOMAINS, MODULATION, POSE, Form
from keywarp.core.models.blocks import in_full

SLOPE = 0.1
"""Of leaky ReLUs."""


def leaky(x: Tensor) -> Tensor:
    return functional.leaky_relu(x, SLOPE)


class PlaneNorm(nn.Module):
    """Layer norm over channels and pixels together; a weight and a bias a channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        # As one group of a group norm: over channels and pixels, without their number in the parameters' shape.
        weight, bias = self.weight.flatten(), self.bias.flatten()
        return functional.group_norm(x, 1, weight, bias)


class AdaIN(nn.Module):
    """Instance norm whose scale and shift follow from the latent pose code (the paper's reference [12])."""

    def __init__(self, code: int, channels: int) -> None:
        super().__init__()
        self.mlp_shared = nn.Sequential(nn.Linear(code, MODULATION), nn.ReLU())
        self.mlp_gamma = nn.Linear(MODULATION, channels)
        self.mlp_beta = nn.Linear(MODULATION, channels)

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        shared = self.mlp_shared(code)
        gamma, beta = (layer(shared)[:, :, None, None] for layer in (self.mlp_gamma, self.mlp_beta))
        out: Tensor = functional.instance_norm(x) * (1 + gamma) + beta
        return out


class MappingNetwork(nn.Module):
    """The motion network F: a driving pose (N, 70) to the latent pose code z (N, C), for both domains."""

    def __init__(self, form: Form) -> None:
        super().__init__()
        self.layers = form.mapping_layers
        self.first = nn.Sequential(nn.Linear(POSE, form.code))
        for i in range(self.layers):
            layer = nn.Sequential(nn.LeakyReLU(SLOPE), nn.Linear(form.code, form.code))
            setattr(self, f"encoder{i}", layer)

    def forward(self, pose: Tensor) -> Tensor:
        code: Tensor = self.first(pose)
        for i in range(self.layers):
            code = code + getattr(self, f"encoder{i}")(code)
        return code


class _WarpDown(nn.Module):
    """Half the size; AdaIN before each convolution."""

    def __init__(self, code: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv_0 = nn.Conv2d(inputs, outputs, 4, 2, 1)
        self.conv_1 = nn.Conv2d(outputs, outputs, 3, 1, 1)
        self.norm_0 = AdaIN(code, inputs)
        self.norm_1 = AdaIN(code, outputs)

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        x = self.conv_0(leaky(self.norm_0(x, code)))
        out: Tensor = self.conv_1(leaky(self.norm_1(x, code)))
        return out


class _WarpUp(nn.Module):
    """Twice the size, with a shortcut; AdaIN before each convolution."""

    def __init__(self, code: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv_0 = nn.Conv2d(inputs, outputs, 3, 1, 1)
        self.conv_1 = nn.ConvTranspose2d(outputs, outputs, 3, 2, 1, 1)
        self.conv_s = nn.ConvTranspose2d(inputs, outputs, 3, 2, 1, 1)
        self.norm_0 = AdaIN(code, inputs)
        self.norm_1 = AdaIN(code, outputs)
        self.norm_s = AdaIN(code, inputs)

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        y = self.conv_0(leaky(self.norm_0(x, code)))
        y = self.conv_1(leaky(self.norm_1(y, code)))
        out: Tensor = y + self.conv_s(leaky(self.norm_s(x, code)))
        return out


class _WarpEncoder(nn.Module):
    def __init__(self, form: Form) -> None:
        super().__init__()
        maps = form.warping_channels()
        self.input_layer = nn.Conv2d(3, maps[0], 7, 1, 3)
        self.layers = form.warping_encoders
        for i in range(self.layers):
            setattr(self, f"encoder{i}", _WarpDown(form.code, maps[i], maps[i + 1]))

    def forward(self, x: Tensor, code: Tensor) -> list[Tensor]:
        maps = [self.input_layer(x)]
        for i in range(self.layers):
            maps.append(getattr(self, f"encoder{i}")(maps[-1], code))
        return maps


class _WarpDecoder(nn.Module):
    def __init__(self, form: Form) -> None:
        super().__init__()
        self.levels = [level for level, _, _ in form.warping_decoder()]
        for level, inputs, outputs in form.warping_decoder():
            setattr(self, f"decoder{level}", _WarpUp(form.code, inputs, outputs))

    def forward(self, maps: list[Tensor], code: Tensor) -> Tensor:
        x = maps[-1]
        for level in self.levels:
            x = torch.cat([getattr(self, f"decoder{level}")(x, code), maps[level]], 1)
        return x


class _WarpHourglass(nn.Module):
    def __init__(self, form: Form) -> None:
        super().__init__()
        self.encoder = _WarpEncoder(form)
        self.decoder = _WarpDecoder(form)

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        out: Tensor = self.decoder(self.encoder(x, code), code)
        return out


class WarpingNetwork(nn.Module):
    """The warping network W of a domain: a picture and a pose code to the flow u."""

    def __init__(self, form: Form) -> None:
        super().__init__()
        self.hourglass = _WarpHourglass(form)
        last = 2 * form.warping_decoder()[-1][2]
        self.flow_out = nn.Sequential(PlaneNorm(last), nn.LeakyReLU(SLOPE), nn.Conv2d(last, 2, 7, 1, 3))

    def forward(self, picture: Tensor, code: Tensor) -> Tensor:
        flow: Tensor = self.flow_out(self.hourglass(picture, code))
        return flow


class _Block(nn.Module):
    """Convolution, layer norm, leaky ReLU."""

    def __init__(self, inputs: int, outputs: int, side: int = 3) -> None:
        super().__init__()
        self.model = nn.Sequential(
            nn.Conv2d(inputs, outputs, side, padding=side // 2), PlaneNorm(outputs), nn.LeakyReLU(SLOPE)
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.model(x)
        return out


class _DownBlock(_Block):
    """The same, then half the size."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.avg_pool2d(super().forward(x), 2)


class _UpBlock(_Block):
    """Twice the size (nearest), then the same."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(functional.interpolate(x, scale_factor=2.0, mode="nearest"))


class _FinalBlock(nn.Module):
    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.model = nn.Sequential(nn.Conv2d(inputs, 3, 7, padding=3), nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.model(x)
        return out


class _EditBlock(nn.Module):
    """A residual block with AdaIN. As published, its second convolution takes the input, not what the first makes:
    the first (``conv1``, ``norm1``) has no part in the answer, and is there for the checkpoints' sake."""

    def __init__(self, code: int, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm1 = AdaIN(code, channels)
        self.norm2 = AdaIN(code, channels)

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        out: Tensor = x + self.norm2(self.conv2(x), code)
        return out


class _EditBlocks(nn.Module):
    def __init__(self, form: Form, channels: int) -> None:
        super().__init__()
        self.count = form.editing_blocks
        for j in range(self.count):
            setattr(self, f"res{j}", _EditBlock(form.code, channels))

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        for j in range(self.count):
            x = getattr(self, f"res{j}")(x, code)
        return x


class _EditEncoder(nn.Module):
    def __init__(self, form: Form) -> None:
        super().__init__()
        maps = form.editing_channels()
        self.layers = form.editing_layers
        self.first = _Block(3, maps[0], 7)
        for i in range(self.layers):
            setattr(self, f"down{i}", _DownBlock(maps[i], maps[i + 1]))

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = [self.first(x)]
        for i in range(self.layers):
            maps.append(getattr(self, f"down{i}")(maps[-1]))
        return maps


class _EditDecoder(nn.Module):
    def __init__(self, form: Form) -> None:
        super().__init__()
        maps = form.editing_channels()
        self.layers = form.editing_layers
        for i in range(self.layers):
            setattr(self, f"up{i}", _UpBlock(maps[i + 1], maps[i]))
            setattr(self, f"res{i}", _EditBlocks(form, maps[i + 1]))
            setattr(self, f"jump{i}", _Block(maps[i], maps[i]))
        self.final = _FinalBlock(maps[0])

    def forward(self, maps: list[Tensor], code: Tensor) -> Tensor:
        x = maps[-1]
        for i in reversed(range(self.layers)):
            x = getattr(self, f"up{i}")(getattr(self, f"res{i}")(x, code))
            x = x + getattr(self, f"jump{i}")(maps[i])
        out: Tensor = self.final(x)
        return out


class EditingNetwork(nn.Module):
    """The editing network G of a domain: its encoder's maps are warped at every scale, its decoder adds the pose by
    AdaIN."""

    def __init__(self, form: Form) -> None:
        super().__init__()
        self.encoder = _EditEncoder(form)
        self.decoder = _EditDecoder(form)

    def forward(self, maps: list[Tensor], grid: Tensor, code: Tensor) -> Tensor:
        """``maps``: what the encoder answers for the picture; ``grid``: a backward map, see ``backward_map``."""
        warped = [sampled(x, grid) for x in maps]
        out: Tensor = self.decoder(warped, code)
        return out


def backward_map(flow: Tensor) -> Tensor:
    """(N, h, w, 2): where each pixel of the flow's field samples, in [-1, 1].

    As published: pixels of the flow become units with the outermost centres at -1 and 1 (align_corners True), but
    ``sampled`` reads them with the picture's edges there (align_corners False).
    """
    _, _, h, w = flow.shape
    x = torch.linspace(-1, 1, w, device=flow.device, dtype=flow.dtype)
    y = torch.linspace(-1, 1, h, device=flow.device, dtype=flow.dtype)
    identity = torch.stack([x[None].expand(h, -1), y[:, None].expand(-1, w)])
    unit = torch.tensor([2 / (w - 1), 2 / (h - 1)], device=flow.device, dtype=flow.dtype)[:, None, None]
    return (identity + flow * unit).permute(0, 2, 3, 1)


def resized_map(grid: Tensor, height: int, width: int) -> Tensor:
    """A backward map for pictures of another size."""
    if grid.shape[1:3] == (height, width):
        return grid
    planes = functional.interpolate(
        grid.permute(0, 3, 1, 2), size=(height, width), mode="bilinear", align_corners=False
    )
    return planes.permute(0, 2, 3, 1)


def sampled(x: Tensor, grid: Tensor) -> Tensor:
    """``x`` (N, C, H, W) at a backward map of any size: bilinear, the border clamped."""
    with in_full(x):
        where = resized_map(grid.float(), x.shape[2], x.shape[3])
        return functional.grid_sample(
            x.float(), where, mode="bilinear", padding_mode="border", align_corners=False
        )


@dataclass(frozen=True)
class Answer:
    """What AniMo makes of a picture and a pose."""

    output: Tensor
    """(N, 3, H, W): the edited picture."""
    warped: Tensor
    """(N, 3, H, W): the picture warped by the flow alone."""
    flow: Tensor
    """(N, 2, H / 4, W / 4)"""


class AniMo(nn.Module):
    """All networks under the names that a checkpoint has for them."""

    def __init__(self, form: Form) -> None:
        super().__init__()
        self.form = form
        self.mapping_net = MappingNetwork(form)
        for domain in DOMAINS:
            setattr(self, f"warpping_net{domain}", WarpingNetwork(form))
            setattr(self, f"editing_net{domain}", EditingNetwork(form))

    def warping(self, domain: str) -> WarpingNetwork:
        network: WarpingNetwork = getattr(self, f"warpping_net{domain}")
        return network

    def editing(self, domain: str) -> EditingNetwork:
        network: EditingNetwork = getattr(self, f"editing_net{domain}")
        return network

    def forward(self, picture: Tensor, pose: Tensor, domain: str = DOMAINS[0]) -> Answer:
        """A picture of the domain in a pose (N, 70)."""
        code = self.mapping_net(pose)
        flow = self.warping(domain)(picture, code).float()
        grid = backward_map(flow)
        editing = self.editing(domain)
        return Answer(editing(editing.encoder(picture), grid, code), sampled(picture, grid), flow)
