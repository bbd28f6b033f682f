# SPDX-License-Identifier: GPL-3.0-or-later
"""The Thin-Plate Spline Motion Model's networks as facts: names and shapes of their tensors.

papers: TPSMM, section 3. What the paper leaves open (widths, kernels) is as in the published checkpoints; names are
theirs. Every published configuration (vox, taichi, ted, mgif) and every narrower one follows from ``Form``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from keywarp.core.models.layouts import Row, Shape, Shapes, conv, linear, scale, widths

POINTS = 5
"""Pairs of keypoints that make one thin-plate spline (section 3.1: N = 5)."""
REDUCTION = 4
"""The dense motion network works at a quarter of the picture's side."""
BLUR_SIDE = 13
"""Side of the Gaussian that the picture is reduced with: sigma 1.5 at that reduction."""
AVD_WIDTHS = (256, 512, 1024)
RESNET_STAGES = 4


@dataclass(frozen=True)
class Form:
    """What tells one configuration from another; the defaults are all published ones."""

    splines: int = 10
    """K, thin-plate splines."""
    background: bool = True
    """Whether there is a background motion predictor (not in ``mgif``)."""
    many_masks: bool = True
    """Occlusion masks of several resolutions (section 3.2), or one."""
    encoder_width: int = 64
    """Channels of the first layer of the two ResNet-18s."""
    motion_width: int = 64
    motion_limit: int = 1024
    motion_depth: int = 5
    inpainting_width: int = 64
    inpainting_limit: int = 512
    inpainting_depth: int = 3
    avd: bool = True
    """Whether there is an avd network (section 3.4), which is trained after the others."""
    bottleneck: int = 128
    """Numbers that stand for a shape, and for a pose, in the avd network."""

    @property
    def keypoints(self) -> int:
        return self.splines * POINTS

    @property
    def motion_inputs(self) -> int:
        """Channels that the dense motion network sees: warped pictures, and heat maps (one empty)."""
        return (self.splines + 1) * 3 + self.keypoints + 1

    @property
    def motion_outputs(self) -> int:
        return self.motion_width + self.motion_inputs

    def motion_channels(self) -> list[int]:
        """Of the hourglass's encoder, from its input to its narrowest map."""
        return [
            self.motion_inputs,
            *(min(self.motion_limit, self.motion_width << (i + 1)) for i in range(self.motion_depth)),
        ]

    def inpainting_channels(self) -> list[int]:
        """Of the inpainting network's encoder maps, from the largest to the smallest."""
        return [
            min(self.inpainting_limit, self.inpainting_width << i) for i in range(self.inpainting_depth + 1)
        ]

    def inpainting_decoder(self) -> list[tuple[int, int]]:
        """(in, out) channels of the decoder's steps, from the smallest map up; all but the first take the encoder's
        map of their size along."""
        maps = self.inpainting_channels()[::-1]
        steps, carried = [], maps[0]
        for i in range(self.inpainting_depth):
            out = maps[1] if i == 0 else maps[i] // 2
            steps.append((carried, out))
            carried = out + maps[i + 1]
        return steps

    def mask_channels(self) -> list[int]:
        """Channels that the occlusion masks are read from, the smallest mask first."""
        whole = self.motion_outputs
        if not self.many_masks:
            return [whole]
        up = [whole >> (i + 1) for i in range(REDUCTION.bit_length() - 1)]
        below = [self._decoder_outputs(i) for i in range(self.inpainting_depth - len(up) - 1, -1, -1)]
        return [*below, whole, *up][-(self.inpainting_depth + 1) :]

    def _decoder_outputs(self, level: int) -> int:
        """Channels that leave the hourglass's decoder ``level + 1`` steps below its output."""
        encoder = self.motion_channels()
        return min(self.motion_limit, self.motion_width << (level + 1)) + encoder[level + 1]


def network_shapes(form: Form) -> dict[str, Shapes]:
    """Names and shapes of every tensor, by network; counters have the shape ()."""
    found = {
        "inpainting_network": dict(_inpainting(form)),
        "kp_detector": dict(_resnet("fg_encoder", 3, form.encoder_width, form.keypoints * 2)),
        "dense_motion_network": dict(_dense_motion(form)),
    }
    if form.avd:
        found["avd_network"] = dict(_avd(form))
    if form.background:
        found["bg_predictor"] = dict(_resnet("bg_encoder", 6, form.encoder_width, 6))
    return found


def _batch_norm(name: str, width: int) -> Iterator[Row]:
    yield from scale(name, width)
    yield f"{name}.running_mean", (width,)
    yield f"{name}.running_var", (width,)
    yield f"{name}.num_batches_tracked", ()


def _block(name: str, inputs: int, outputs: int, side: int = 3) -> Iterator[Row]:
    yield from conv(f"{name}.conv", inputs, outputs, side)
    yield from scale(f"{name}.norm", outputs)


def _inpainting(form: Form) -> Iterator[Row]:
    maps = form.inpainting_channels()
    yield from _block("first", 3, maps[0], 7)
    for i in range(form.inpainting_depth):
        yield from _block(f"down_blocks.{i}", maps[i], maps[i + 1])
    for i, (inputs, outputs) in enumerate(form.inpainting_decoder()):
        yield from _block(f"up_blocks.{i}", inputs, outputs)
        for j in (2 * i, 2 * i + 1):
            for part in (1, 2):
                yield from conv(f"resblock.{j}.conv{part}", inputs, inputs, 3)
                yield from scale(f"resblock.{j}.norm{part}", inputs)
    yield from conv("final", maps[0], 3, 7)


def _dense_motion(form: Form) -> Iterator[Row]:
    maps = form.motion_channels()
    yield "down.weight", (3, 1, BLUR_SIDE, BLUR_SIDE)
    for i in range(form.motion_depth):
        yield from _block(f"hourglass.encoder.down_blocks.{i}", maps[i], maps[i + 1])
    carried = maps[-1]
    for i in range(form.motion_depth):
        level = form.motion_depth - 1 - i
        out = min(form.motion_limit, form.motion_width << level)
        yield from _block(f"hourglass.decoder.up_blocks.{i}", carried, out)
        carried = out + maps[level]
    yield from conv("maps", carried, form.splines + 1, 7)
    masks = form.mask_channels()
    if form.many_masks:
        for i in range(REDUCTION.bit_length() - 1):
            yield from _block(f"up.{i}", carried >> i, carried >> (i + 1))
    for i, channels in enumerate(masks):
        yield from conv(f"occlusion.{i}", channels, 1, 7)


def _avd(form: Form) -> Iterator[Row]:
    numbers, code = form.keypoints * 2, form.bottleneck
    for name, sizes in (
        ("id_encoder", (numbers, *AVD_WIDTHS, code)),
        ("pose_encoder", (numbers, *AVD_WIDTHS, code)),
        ("decoder", (2 * code, *AVD_WIDTHS[::-1], numbers)),
    ):
        for i, (inputs, outputs) in enumerate(zip(sizes, sizes[1:], strict=False)):
            yield from linear(f"{name}.{3 * i}", inputs, outputs)
            if i < len(AVD_WIDTHS):
                yield from _batch_norm(f"{name}.{3 * i + 1}", outputs)


def _resnet(name: str, inputs: int, width: int, outputs: int) -> Iterator[Row]:
    yield f"{name}.conv1.weight", (width, inputs, 7, 7)
    yield from _batch_norm(f"{name}.bn1", width)
    carried = width
    for stage in range(RESNET_STAGES):
        wide = width << stage
        for block in range(2):
            own = f"{name}.layer{stage + 1}.{block}"
            before = carried if block == 0 else wide
            yield f"{own}.conv1.weight", (wide, before, 3, 3)
            yield from _batch_norm(f"{own}.bn1", wide)
            yield f"{own}.conv2.weight", (wide, wide, 3, 3)
            yield from _batch_norm(f"{own}.bn2", wide)
            if before != wide:
                yield f"{own}.downsample.0.weight", (wide, before, 1, 1)
                yield from _batch_norm(f"{own}.downsample.1", wide)
        carried = wide
    yield from linear(f"{name}.fc", carried, outputs)


def form_of(shapes: Mapping[str, Mapping[str, Shape]]) -> Form | None:
    """The form that a checkpoint's shapes, by network, suggest; ``None`` where they tell nothing.

    Only the few tensors that decide it are looked at: compare all with ``network_shapes``.
    """
    try:
        keypoints = shapes["kp_detector"]["fg_encoder.fc.weight"][0]
        motion, inpainting = shapes["dense_motion_network"], shapes["inpainting_network"]
        ups = widths(motion, "hourglass.decoder.up_blocks.{}.conv.weight")
        downs = widths(inpainting, "down_blocks.{}.conv.weight")
        return Form(
            splines=keypoints // (2 * POINTS),
            background="bg_predictor" in shapes,
            many_masks="occlusion.1.weight" in motion,
            encoder_width=shapes["kp_detector"]["fg_encoder.conv1.weight"][0],
            motion_width=ups[-1],
            motion_limit=max(widths(motion, "hourglass.encoder.down_blocks.{}.conv.weight")),
            motion_depth=len(ups),
            inpainting_width=inpainting["first.conv.weight"][0],
            inpainting_limit=downs[-1],
            inpainting_depth=len(downs),
            avd="avd_network" in shapes,
            bottleneck=shapes.get("avd_network", {}).get("id_encoder.9.weight", (128,))[0],
        )
    except (KeyError, IndexError, ValueError):
        return None
