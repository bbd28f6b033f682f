# SPDX-License-Identifier: GPL-3.0-or-later
"""Talking Head Anime's five networks as facts: names and shapes of their tensors, crops, what their files are called.

papers: Talking Head Anime 4, section 3, and the THA3 write-up that it cites as [40].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

SIDE = 512
"""Of the published networks' frame."""
STEP = 64
"""Sides are multiples of it: then every crop of the frame halves as often as its network asks."""
WIDTH, WIDTH_STEP = 64, 8
"""Channels of the published networks' first layer, and what narrower ones' are a multiple of."""
#: Pose channels of the three stages.
BROW_POSE, FACE_POSE, BODY_POSE = slice(0, 12), slice(12, 39), slice(39, 45)

Shapes = dict[str, tuple[int, ...]]
#: Rows and columns.
Where = tuple[slice, slice]


@dataclass(frozen=True)
class Square:
    """A frame of the networks and its crops; those of 512 pixels are the published ones."""

    side: int = SIDE

    @property
    def half(self) -> int:
        return self.side // 2

    @property
    def face(self) -> Where:
        return self._cut(32, 224), self._cut(160, 352)

    @property
    def brows(self) -> Where:
        return self._cut(64, 192), self._cut(192, 320)

    @property
    def brows_in_face(self) -> Where:
        return self._cut(32, 160), self._cut(32, 160)

    @property
    def face_side(self) -> int:
        return 192 * self.side // SIDE

    @property
    def brows_side(self) -> int:
        return 128 * self.side // SIDE

    def _cut(self, start: int, stop: int) -> slice:
        return slice(start * self.side // SIDE, stop * self.side // SIDE)


@dataclass(frozen=True)
class Form:
    """One of the published variants of the five networks."""

    name: str
    separable: bool
    attention: bool
    """Whether the body's two networks are U-Nets with attention."""
    licence: str
    width: int = WIDTH
    """Channels of the first layer at the size of the picture; all others are multiples of it."""
    side: int = SIDE

    @property
    def square(self) -> Square:
        return Square(self.side)

    @property
    def deepest(self) -> int:
        """Channels at the bottom of the face's networks."""
        return 8 * self.width

    @property
    def body_widths(self) -> tuple[int, ...]:
        """Channels at each size of the U-Net at half resolution."""
        return tuple(self.width * n for n in (1, 2, 4, 4, 4))

    @property
    def upscaler_widths(self) -> tuple[int, ...]:
        """The same of the last U-Net."""
        return tuple(self.width * n // 2 for n in (1, 2, 4, 8, 8, 8))

    @property
    def networks(self) -> tuple[str, ...]:
        """Names of the networks, which are those of their files, in the order in which they run."""
        body = ("body_morpher", "upscaler") if self.attention else ("two_algo_face_body_rotator", "editor")
        return ("eyebrow_decomposer", "eyebrow_morphing_combiner", "face_morpher", *body)


STANDARD = Form("THA3 standard", False, False, "CC BY 4.0")
SEPARABLE = Form("THA3 separable", True, False, "CC BY 4.0")
TEACHER = Form("THA4 teacher", False, True, "CC BY-NC 4.0")
FORMS = (STANDARD, SEPARABLE, TEACHER)


@cache
def network_shapes(form: Form, network: str) -> Shapes:
    """Names and shapes of the tensors of one of the form's networks."""
    make = {
        "eyebrow_decomposer": _decomposer,
        "eyebrow_morphing_combiner": _combiner,
        "face_morpher": _face,
        "two_algo_face_body_rotator": _rotator,
        "editor": _editor,
    }
    if network == "body_morpher":
        return _unet(form.body_widths)
    if network == "upscaler":
        widths = form.upscaler_widths
        return {**_unet(widths), **_biased("coarse_image_conv", (widths[0], 10, 3, 3))}
    return make[network](form)


#: Tensors that tell a network's width: the channels that they take, times this, in the order in which to look.
_TELLING = {
    "background_layer_alpha.0.weight": 1,
    "morphed_eyebrow_layer_alpha.0.weight": 1,
    "iris_mouth_alpha.0.weight": 1,
    "direct_creator.0.weight": 1,
    "color_change_creator.0.weight": 2,
}


def width_of(found: Mapping[str, tuple[int, ...]]) -> int:
    """The width of the network that has these tensors; the published one where none of them tells."""
    for name, times in _TELLING.items():
        if len(found.get(name, ())) == 4:
            return found[name][1] * times
    last = found.get("body.last.2.weight", ())
    if len(last) == 4:
        return last[1] * (2 if "coarse_image_conv.weight" in found else 1)
    return WIDTH


def _biased(name: str, shape: tuple[int, ...]) -> Shapes:
    return {f"{name}.weight": shape, f"{name}.bias": shape[:1]}


def _affine(name: str, channels: int) -> Shapes:
    return {f"{name}.weight": (channels,), f"{name}.bias": (channels,)}


def _convolution(name: str, inputs: int, outputs: int, size: int, separable: bool) -> Shapes:
    if not separable:
        return {f"{name}.weight": (outputs, inputs, size, size)}
    return {f"{name}.0.weight": (inputs, 1, size, size), f"{name}.1.weight": (outputs, inputs, 1, 1)}


def _block(
    name: str, inputs: int, outputs: int, size: int, separable: bool, transposed: bool = False
) -> Shapes:
    """A convolution and its normalisation, numbered as layers of one sequence."""
    if separable:
        return {**_convolution(name, inputs, outputs, size, True), **_affine(f"{name}.2", outputs)}
    shape = (inputs, outputs, size, size) if transposed else (outputs, inputs, size, size)
    return {f"{name}.0.weight": shape, **_affine(f"{name}.1", outputs)}


def _residual(name: str, channels: int, separable: bool) -> Shapes:
    out: Shapes = {}
    for layer in (0, 3):
        out |= _convolution(f"{name}.resnet_path.{layer}", channels, channels, 3, separable)
        out |= _affine(f"{name}.resnet_path.{layer + 1}", channels)
    return out


def _descent(name: str, inputs: int, start: int, first: int, separable: bool) -> Shapes:
    out = _block(f"{name}downsample_blocks.0", inputs, start, first, separable)
    for i in range(3):
        out |= _block(f"{name}downsample_blocks.{i + 1}", start << i, start << i + 1, 4, separable)
    return out


def _posed(name: str, inputs: int, pose: int, form: Form) -> Shapes:
    """Backbone of the face's three networks."""
    separable, deepest = form.separable, form.deepest
    out = _descent(name, inputs, form.width, 3, separable)
    out |= _block(f"{name}bottleneck_blocks.0", deepest + pose, deepest, 3, separable)
    for i in range(1, 6):
        out |= _residual(f"{name}bottleneck_blocks.{i}", deepest, separable)
    for i in range(3):
        upwards = deepest >> i, deepest >> i + 1
        out |= _block(f"{name}upsample_blocks.{i}", *upwards, 4, separable, transposed=True)
    return out


def _heads(features: int, **channels: int) -> Shapes:
    """Convolutions that end a network; a flow's has no bias and no activation."""
    out: Shapes = {}
    for name, count in channels.items():
        shape = (count, features, 3, 3)
        out |= {f"{name}.weight": shape} if "grid_change" in name else _biased(f"{name}.0", shape)
    return out


def _decomposer(form: Form) -> Shapes:
    return _posed("body.", 4, 0, form) | _heads(
        form.width,
        background_layer_alpha=1,
        background_layer_color_change=4,
        eyebrow_layer_alpha=1,
        eyebrow_layer_color_change=4,
    )


def _combiner(form: Form) -> Shapes:
    return _posed("body.", 8, 12, form) | _heads(
        form.width,
        morphed_eyebrow_layer_grid_change=2,
        morphed_eyebrow_layer_alpha=1,
        morphed_eyebrow_layer_color_change=4,
        combine_alpha=1,
    )


def _face(form: Form) -> Shapes:
    return _posed("body." if form.separable else "", 4, 27, form) | _heads(
        form.width,
        iris_mouth_grid_change=2,
        iris_mouth_color_change=4,
        iris_mouth_alpha=1,
        eye_color_change=4,
        eye_alpha=1,
    )


def _rotator(form: Form) -> Shapes:
    separable, deepest = form.separable, form.deepest
    out = _descent("encoder_decoder.", 10, form.width, 7, separable)
    for i in range(6):
        out |= _residual(f"encoder_decoder.bottleneck_blocks.{i}", deepest, separable)
    for i in range(3):
        out |= _block(f"encoder_decoder.upsample_blocks.{i}.1", deepest >> i, deepest >> i + 1, 3, separable)
    return out | _heads(form.width, direct_creator=4, grid_change_creator=2)


def _editor(form: Form) -> Shapes:
    separable, deepest, width = form.separable, form.deepest // 2, form.width // 2
    out = _descent("body.", 16, width, 3, separable)
    for i in range(6):
        out |= _residual(f"body.bottleneck_blocks.{i}", deepest, separable)
    for i in range(3):
        joined = (deepest >> i) + (deepest >> i + 1)
        out |= _block(f"body.upsample_blocks.{i}", joined, deepest >> i + 1, 3, separable)
    return out | _heads(width, color_change_creator=4, alpha_creator=4, grid_change_creator=2)


def _conditioned(name: str, inputs: int, outputs: int) -> Shapes:
    out: Shapes = {}
    for i, width in enumerate((inputs, outputs)):
        out |= _affine(f"{name}.norm{i}", width)
        out |= _biased(f"{name}.conv{i}", (outputs, width, 3, 3))
        out |= _biased(f"{name}.cond{i}_layers.1", (2 * outputs, 256))
    return out | (_biased(f"{name}.skip", (outputs, inputs, 1, 1)) if inputs != outputs else {})


def _attention(name: str, channels: int) -> Shapes:
    return {
        **_affine(f"{name}.norm", channels),
        **_biased(f"{name}.qkv", (3 * channels, channels, 1, 1)),
        **_biased(f"{name}.conv", (channels, channels, 1, 1)),
    }


def _unet(widths: Sequence[int]) -> Shapes:
    start, last, levels = widths[0], widths[-1], len(widths)
    out = _biased("body.time_embed.1", (256, start)) | _biased("body.time_embed.3", (256, 256))
    out |= _biased("body.cond_embed.0", (256, 6)) | _biased("body.cond_embed.2", (256, 256))
    out |= _biased("body.first_conv", (start, 4, 3, 3))
    below = (start, *widths[:-1])
    for i, (inputs, width) in enumerate(zip(below, widths, strict=True)):
        block = f"body.down_blocks.{i}"
        out |= _conditioned(f"{block}.res_blocks.0", inputs, width)
        if i + 1 < levels:
            out |= _conditioned(f"{block}.downsample", width, width)
        else:
            out |= _attention(f"{block}.attention_blocks.0", width)
    for i in range(7):
        block = f"body.middle_blocks.{i}"
        out |= _attention(f"{block}.module", last) if i % 2 else _conditioned(block, last, last)
    channels = last
    for i, level in enumerate(reversed(range(levels))):
        block, width = f"body.up_blocks.{i}", widths[level]
        out |= _conditioned(f"{block}.resnet_blocks.0", channels + width, width)
        out |= _conditioned(f"{block}.resnet_blocks.1", width + below[level], width)
        if i == 0:
            out |= _attention(f"{block}.attention_blocks.0", width)
            out |= _attention(f"{block}.attention_blocks.1", width)
        if level:
            out |= _conditioned(f"{block}.upsample", width, width)
        channels = width
    return out | _affine("body.last.0", start) | _biased("body.last.2", (7, start, 3, 3))
