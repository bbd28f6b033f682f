# SPDX-License-Identifier: GPL-3.0-or-later
"""A stored sample to what a network takes: resized, and varied alike in everything that it holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from keywarp.core.color import from_srgb8, to_srgb8
from keywarp.core.framing import Framing
from keywarp.core.layered import DEPTH, FIRST_SHAPE, Layer, Layered
from keywarp.core.layered import mirrored as mirrored_layers
from keywarp.core.motion import FloatImage
from keywarp.core.opencv import cv2
from keywarp.core.picture import Picture
from keywarp.core.resample import Affine, inverse, square_picture, square_to_pixels, then, warp
from keywarp.core.training.sample import REGIONS, Example, Pixels, Sample
from keywarp.keyframes.channels import Poses
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.mappings.registry import convert, route
from keywarp.keyframes.spaces import space
from keywarp.keyframes.spaces.driving import SPACE as DRIVING

NEUTRAL = "neutral"
"""The category that is the rest pose of a space of categories."""


@dataclass(frozen=True)
class Augmentation:
    """How far samples are varied (papers: ATW, section 3.3: crop, flip, brightness, contrast and hue)."""

    flip: float = 0.5
    """Probability of the mirrored picture, with the pose that it shows."""
    zoom: tuple[float, float] = (0.9, 1.15)
    """Range of the factor by which the content grows."""
    shift: float = 0.08
    """The content moves by at most this, in square units, on each axis."""
    colour: float = 1.0
    """1: brightness and contrast by up to 15 %, saturation by 30 %, hue by 15 degrees; 0: none."""
    background: float = 0.0
    """Probability of an opaque background behind what is transparent, the same in both pictures."""


NONE = Augmentation(0.0, (1.0, 1.0), 0.0, 0.0, 0.0)


def pose_of(sample: Sample, space_name: str) -> Poses:
    """The pose of ``posed`` in a space, (C,): as stored, by the category's name, or mapped from another space.

    Raises ``KeywarpError`` where the sample says nothing from which it follows.
    """
    if space_name in sample.poses:
        return np.asarray(sample.poses[space_name], np.float64)
    wanted = space(space_name)
    if space_name == DRIVING.name:
        return wanted.pose({"driving_strength": 1.0})  # the posed picture itself is the driving video's frame
    if sample.category is not None and (sample.category == NEUTRAL or sample.category in wanted):
        return wanted.pose({} if sample.category == NEUTRAL else {sample.category: 1.0})
    for name, pose in sample.poses.items():
        try:
            route(name, space_name)
        except KeywarpError:
            continue
        return convert(pose, name, space_name)
    known = ", ".join(sample.poses) or "no pose"
    raise KeywarpError(f"the sample {sample.key} has {known}, from which no pose of {space_name} follows")


def example(
    sample: Sample,
    space_name: str,
    side: int,
    augmentation: Augmentation,
    random: np.random.Generator,
    layers: Sequence[str] = (),
) -> Example:
    """The sample at ``side`` pixels, varied as ``random`` says; equal states of ``random`` give equal examples.

    ``layers``: names of the sample's ``stages`` that the example is to hold, too.
    """
    a = augmentation
    pose = pose_of(sample, space_name)
    mirrored = bool(random.random() < a.flip)
    framing = _framing(sample, a, random)
    tint = _tint(a.colour, random)
    behind = _background(side, random) if random.random() < a.background else None

    posed = _picture(sample.posed, tint, framing, side)
    rest = posed if sample.rest is None else _picture(sample.rest, tint, framing, side)
    further = [_picture(sample.stages[name], tint, framing, side) for name in layers]
    stack = np.concatenate(further, -1) if further else np.zeros((0, 0, 0), np.float32)
    flow, visible = _true_motion(sample, framing, side)
    regions = np.zeros((side, side, len(REGIONS)), np.float32)
    for i, name in enumerate(REGIONS):
        if name in sample.regions:
            regions[..., i] = _plane(sample.regions[name], framing, side, 0.0)
    layered = None
    if sample.layered is not None:
        layered = _layered(sample.layered, tint, framing, side)
    if behind is not None:
        flow, visible = _motion_of_the_background(flow, visible, rest, posed)
        rest, posed = _over(rest, behind), _over(posed, behind)
    if mirrored:
        pose = space(space_name).mirror(pose)
        rest, posed, flow, visible, regions, stack = (
            x[:, ::-1] for x in (rest, posed, flow, visible, regions, stack)
        )
        flow = flow * np.array([-1, 1], np.float32)
        layered = layered and mirrored_layers(layered)
    return Example(
        identity=sample.identity,
        rest=np.ascontiguousarray(rest),
        posed=np.ascontiguousarray(posed),
        pose=pose,
        paired=sample.rest is not None,
        flow=np.ascontiguousarray(flow),
        visible=np.ascontiguousarray(visible),
        has_flow=sample.flow is not None and sample.rest is not None,
        regions=np.ascontiguousarray(regions),
        layers=np.ascontiguousarray(stack),
        layered=layered,
    )


def _framing(sample: Sample, a: Augmentation, random: np.random.Generator) -> Framing:
    """The stored pixels to the network's square: grown about its centre, then shifted."""
    zoom = float(random.uniform(*a.zoom))
    shift = random.uniform(-a.shift, a.shift, 2)
    if not _ends_inside(sample):
        # What is opaque up to its border has nothing to show beyond it.
        zoom = max(zoom, 1.0)
        shift = np.clip(shift, 1 - zoom, zoom - 1)
    whole = Framing.of_square(0, 0, sample.side)
    return Framing(whole.scale * zoom, 0.0, whole.x * zoom + shift[0], whole.y * zoom + shift[1])


def _ends_inside(sample: Sample) -> bool:
    alpha = sample.posed[..., 3]
    edge = (alpha[0], alpha[:, 0], alpha[:, -1])  # a bust is cut off by the lower edge
    return max(int(x.max()) for x in edge) < 128


def _picture(pixels: Pixels, tint: FloatImage | None, framing: Framing, side: int) -> Picture:
    tinted = pixels if tint is None else np.asarray(cv2.transform(pixels, tint), np.uint8)
    if pixels[0, :, 3].min() == 255 and framing.side != len(pixels):
        # Opaque up to its border: resampling must not mix in the nothing beyond.
        tinted = np.asarray(cv2.copyMakeBorder(tinted, 4, 4, 4, 4, cv2.BORDER_REPLICATE), np.uint8)
        framing = replace(framing, x=framing.x - 4 * framing.scale, y=framing.y - 4 * framing.scale)
    return square_picture(from_srgb8(tinted), framing, side)


def _tint(strength: float, random: np.random.Generator) -> FloatImage | None:
    """(4, 5): a change of encoded colours, with the offset in the last column; alpha stays."""
    bright, contrast, saturation, hue = random.uniform(-1, 1, 4) * strength
    if strength == 0:
        return None
    grey = np.array([0.2126, 0.7152, 0.0722])
    angle = np.radians(15 * hue)
    # Hue: a rotation about the grey axis (Rodrigues' formula).
    axis = np.full(3, 3**-0.5)
    cross = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) * 3**-0.5
    turn = np.cos(angle) * np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * np.outer(axis, axis)
    saturate = 1 + 0.3 * saturation
    matrix = (saturate * np.eye(3) + (1 - saturate) * np.tile(grey, (3, 1))) @ turn * (1 + 0.15 * contrast)
    out = np.zeros((4, 5), np.float32)
    out[:3, :3], out[3, 3] = matrix, 1
    out[:3, 4] = 127.5 * (1 - (1 + 0.15 * contrast)) + 255 * 0.15 * bright
    return out


def _true_motion(sample: Sample, framing: Framing, side: int) -> tuple[FloatImage, FloatImage]:
    """Flow and visibility on the network's pixels; where nothing is known 0 and 1."""
    zoom = framing.scale * sample.side / 2
    flow = np.zeros((side, side, 2), np.float32)
    if sample.flow is not None:
        # Where parts meet the mean of their flows is the flow of neither.
        pixels = warp(
            sample.flow, _to_stored(framing, side), side, side, cv2.INTER_NEAREST, cv2.BORDER_CONSTANT
        )
        flow = pixels * np.float32(zoom)
    visible = np.ones((side, side), np.float32)
    if sample.visible is not None:
        visible = _plane(sample.visible, framing, side, 1.0)
    axis = ((2 * np.arange(side) + 1) / side - 1).astype(np.float32)
    source = np.stack(np.meshgrid(axis, axis), -1) + flow
    inside = (np.abs(source) <= 1).all(-1) | ~flow.any(-1)
    return flow, visible * inside


def _layered(layered: Layered, tint: FloatImage | None, framing: Framing, side: int) -> Layered:
    """On the network's pixels; where surfaces meet, each pixel is of one of them."""
    stored = len(layered.layers[0].seen)
    zoom = framing.scale * stored / 2
    affine = _to_stored(framing, side)
    middles = np.arange(side) + 0.5
    columns, rows = (
        np.floor(affine[axis, axis] * middles + affine[axis, 2]).astype(np.int64) for axis in (0, 1)
    )
    inside = ((rows >= 0) & (rows < stored))[:, None] & ((columns >= 0) & (columns < stored))
    rows, columns = rows.clip(0, stored - 1), columns.clip(0, stored - 1)
    layers = []
    for layer in layered.layers:
        seen = layer.seen[np.ix_(rows, columns)] & inside
        fields = np.zeros((side, side, layer.fields.shape[-1]), np.float32)
        # Few of the pixels that are seen move with a face: the others need not be copied.
        for part, there in ((slice(0, FIRST_SHAPE), layer.seen), (slice(FIRST_SHAPE, None), _moving(layer))):
            down, across = np.asarray(there.any(1))[rows], np.asarray(there.any(0))[columns]
            target, origin = np.ix_(down, across), np.ix_(rows[down], columns[across])
            fields[(*target, part)] = layer.fields[(*origin, part)] * seen[target][..., None]
        fields[..., DEPTH] *= zoom
        fields[..., FIRST_SHAPE:] *= zoom
        layers.append(Layer(_picture(to_srgb8(layer.colour), tint, framing, side), seen, fields))
    joints = layered.joints * np.float32(zoom)
    joints[:, :2] += (framing.matrix() @ np.array([stored / 2, stored / 2, 1])).astype(np.float32)
    return Layered(tuple(layers), joints)


def _moving(layer: Layer) -> npt.NDArray[np.bool_]:
    """(n, n): what any shape moves."""
    return np.asarray(layer.fields[..., FIRST_SHAPE:].any(-1))


def _to_stored(framing: Framing, side: int) -> Affine:
    """The network's pixels to the stored ones, both continuous."""
    return inverse(then(framing.matrix(), square_to_pixels(side)))


def _plane(plane: FloatImage, framing: Framing, side: int, outside: float) -> FloatImage:
    """A mask on the network's pixels; ``outside``: what it is beyond the stored square."""
    smaller = 2 / (framing.scale * side)
    if smaller > 1.5:
        plane = cv2.blur(plane, (round(smaller),) * 2)
    moved: FloatImage = warp(
        plane - np.float32(outside),
        _to_stored(framing, side),
        side,
        side,
        cv2.INTER_LINEAR,
        cv2.BORDER_CONSTANT,
    )
    moved += np.float32(outside)
    return moved


def _background(side: int, random: np.random.Generator) -> FloatImage:
    """(side, side, 3) in linear light: a gradient between two colours, in any direction."""
    one, other = random.random((2, 3)) ** 2.2
    angle = random.uniform(0, 2 * np.pi)
    axis = np.linspace(-1, 1, side)
    along = (np.cos(angle) * axis[None] + np.sin(angle) * axis[:, None]) / 2.83 + 0.5
    colours: FloatImage = (one + (other - one) * along[..., None]).astype(np.float32)
    return colours


def _over(picture: Picture, background: FloatImage) -> Picture:
    out = np.ones_like(picture)
    out[..., :3] = picture[..., :3] + background * (1 - picture[..., 3:])
    return out


def _motion_of_the_background(
    flow: FloatImage, visible: FloatImage, rest: Picture, posed: Picture
) -> tuple[FloatImage, FloatImage]:
    """A background stands still; it is seen at rest where the character does not cover it."""
    behind = posed[..., 3] < 0.5
    return np.where(behind[..., None], np.float32(0), flow), np.where(behind, 1 - rest[..., 3], visible)
