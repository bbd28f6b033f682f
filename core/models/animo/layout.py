# SPDX-License-Identifier: GPL-3.0-or-later
"""AniMo's networks as facts: names and shapes of their tensors, numbers of a pose, domains.

papers: AnimeCeleb, section 3.2 and figure 7; what it leaves to its supplement is as in the published checkpoints,
whose names (one of them misspelt) are used here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from keywarp.core.models.layouts import Row, Shape, Shapes, conv, linear, scale, widths

EXPRESSIONS, COEFFICIENTS, POSE = 17, 64, 70
"""Expression values of AnimeCeleb, expression coefficients of the 3DMM, numbers of a driving pose."""
DOMAINS = ("A", "V")
"""Anime (AnimeCeleb) and human (VoxCeleb)."""
MODULATION = 128
"""Width of the layer between the latent pose code and an AdaIN's parameters."""


@dataclass(frozen=True)
class Form:
    """What tells one configuration from another; the defaults are the published one's."""

    code: int = 256
    """Numbers of the latent pose code."""
    mapping_layers: int = 3
    warping_width: int = 32
    warping_limit: int = 256
    warping_encoders: int = 5
    warping_decoders: int = 3
    editing_width: int = 64
    editing_limit: int = 256
    editing_layers: int = 3
    editing_blocks: int = 2

    def warping_channels(self) -> list[int]:
        """Of the warping network's encoder maps, from the picture's size down."""
        return [min(self.warping_width << i, self.warping_limit) for i in range(self.warping_encoders + 1)]

    def warping_decoder(self) -> list[tuple[int, int, int]]:
        """(level, in, out) of the decoder's steps, from the smallest map up; each takes the encoder's map along."""
        maps, steps = self.warping_channels(), []
        carried = maps[-1]
        for level in range(self.warping_encoders - 1, self.warping_encoders - 1 - self.warping_decoders, -1):
            steps.append((level, carried, maps[level]))
            carried = 2 * maps[level]
        return steps

    def editing_channels(self) -> list[int]:
        """Of the editing network's encoder maps, from the picture's size down."""
        return [min(self.editing_width << i, self.editing_limit) for i in range(self.editing_layers + 1)]


def network_shapes(form: Form) -> dict[str, Shapes]:
    """Names and shapes of every tensor, by network."""
    found = {"mapping_net": dict(_mapping(form))}
    for domain in DOMAINS:
        found[f"warpping_net{domain}"] = dict(_warping(form))
        found[f"editing_net{domain}"] = dict(_editing(form))
    return found


def _up_conv(name: str, inputs: int, outputs: int) -> Iterator[Row]:
    yield f"{name}.weight", (inputs, outputs, 3, 3)
    yield f"{name}.bias", (outputs,)


def _adain(name: str, code: int, width: int) -> Iterator[Row]:
    yield from linear(f"{name}.mlp_shared.0", code, MODULATION)
    yield from linear(f"{name}.mlp_gamma", MODULATION, width)
    yield from linear(f"{name}.mlp_beta", MODULATION, width)


def _mapping(form: Form) -> Iterator[Row]:
    yield from linear("first.0", POSE, form.code)
    for i in range(form.mapping_layers):
        yield from linear(f"encoder{i}.1", form.code, form.code)


def _warping(form: Form) -> Iterator[Row]:
    maps = form.warping_channels()
    yield from conv("hourglass.encoder.input_layer", 3, maps[0], 7)
    for i in range(form.warping_encoders):
        name = f"hourglass.encoder.encoder{i}"
        yield from conv(f"{name}.conv_0", maps[i], maps[i + 1], 4)
        yield from conv(f"{name}.conv_1", maps[i + 1], maps[i + 1], 3)
        yield from _adain(f"{name}.norm_0", form.code, maps[i])
        yield from _adain(f"{name}.norm_1", form.code, maps[i + 1])
    last = 0
    for level, inputs, outputs in form.warping_decoder():
        name = f"hourglass.decoder.decoder{level}"
        yield from conv(f"{name}.conv_0", inputs, outputs, 3)
        yield from _up_conv(f"{name}.conv_1", outputs, outputs)
        yield from _up_conv(f"{name}.conv_s", inputs, outputs)
        yield from _adain(f"{name}.norm_0", form.code, inputs)
        yield from _adain(f"{name}.norm_1", form.code, outputs)
        yield from _adain(f"{name}.norm_s", form.code, inputs)
        last = 2 * outputs
    yield from scale("flow_out.0", last, 1, 1)
    yield from conv("flow_out.2", last, 2, 7)


def _block(name: str, inputs: int, outputs: int, side: int = 3) -> Iterator[Row]:
    yield from conv(f"{name}.model.0", inputs, outputs, side)
    yield from scale(f"{name}.model.1", outputs, 1, 1)


def _editing(form: Form) -> Iterator[Row]:
    maps = form.editing_channels()
    yield from _block("encoder.first", 3, maps[0], 7)
    for i in range(form.editing_layers):
        yield from _block(f"encoder.down{i}", maps[i], maps[i + 1])
    for i in range(form.editing_layers):
        yield from _block(f"decoder.up{i}", maps[i + 1], maps[i])
        yield from _block(f"decoder.jump{i}", maps[i], maps[i])
        for j in range(form.editing_blocks):
            for part in (1, 2):
                yield from conv(f"decoder.res{i}.res{j}.conv{part}", maps[i + 1], maps[i + 1], 3)
                yield from _adain(f"decoder.res{i}.res{j}.norm{part}", form.code, maps[i + 1])
    yield from conv("decoder.final.model.0", maps[0], 3, 7)


def form_of(shapes: Mapping[str, Mapping[str, Shape]]) -> Form | None:
    """The form that a checkpoint's shapes, by network, suggest; ``None`` where they tell nothing.

    Only the few tensors that decide it are looked at: compare all with ``network_shapes``.
    """
    try:
        warping, editing = shapes["warpping_netA"], shapes["editing_netA"]
        encoders = widths(warping, "hourglass.encoder.encoder{}.conv_0.weight")
        downs = widths(editing, "encoder.down{}.model.0.weight")
        return Form(
            code=shapes["mapping_net"]["first.0.weight"][0],
            mapping_layers=len(widths(shapes["mapping_net"], "encoder{}.1.weight")),
            warping_width=warping["hourglass.encoder.input_layer.weight"][0],
            warping_limit=encoders[-1],
            warping_encoders=len(encoders),
            warping_decoders=sum(
                name.startswith("hourglass.decoder.") and name.endswith(".conv_0.weight") for name in warping
            ),
            editing_width=editing["encoder.first.model.0.weight"][0],
            editing_limit=downs[-1],
            editing_layers=len(downs),
            editing_blocks=len(widths(editing, "decoder.res0.res{}.conv1.weight")),
        )
    except (KeyError, IndexError):
        return None
