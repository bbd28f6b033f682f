# SPDX-License-Identifier: GPL-3.0-or-later
"""The layered depth image of a figure at rest, by depth peeling (C. Everitt, *Interactive Order-Independent
Transparency*, 2001): each layer draws what lies behind the one before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from keywarp.core.color import from_srgb8
from keywarp.core.layered import (
    BODY,
    BONES,
    DEPTH,
    DISTANCE,
    FIELDS,
    HEAD,
    LEFT,
    PAIRED,
    SINGLE,
    THROAT,
    Floats,
    Layer,
    Layered,
    Mask,
    shape_fields,
)
from keywarp.core.opencv import cv2
from keywarp.core.studio.actor import Actor, Pose
from keywarp.core.studio.photograph import Studio, Surfaces
from keywarp.core.studio.rig import SPINE

GAP = 0.02
"""How far behind a layer the next one begins, in square units: strokes that lie on the skin are one with it."""
_IRIS_GAP = 0.002
"""The same behind irises, which lie close before the white of their eyes."""
_INSIDE = 0.25
"""How far behind the lips the inside of a mouth may lie."""
_SEAM, _AROUND_SEAM = 0.02, 0.16
"""How far neighbours part at a seam, and how far around it an inside may be seen, in square units."""
_STILL = 1e-4
_LINE = 24
"""Pixels that the line around a surface is wide at most."""


class Peeler:
    """Takes the layers off an actor at rest."""

    def __init__(self, actor: Actor, studio: Studio, fields: Floats, fine: Studio | None = None) -> None:
        """``studio``: where ``actor`` is photographed, at rest; ``fields``: ``vertex_fields`` of that rest pose;
        ``fine``: the same at a larger size, from which deeper layers have their colours."""
        self._actor, self._studio, self._fine = actor, studio, fine or studio
        # An outline's vertices follow their surface's.
        self._fields = np.concatenate([fields] * studio.sheets)

    def layered(self, count: int) -> Layered:
        """So many layers: what is seen, what a mouth and moving irises hide, and what lies behind these. There both
        sides of surfaces are seen, since a turn of the head brings to light what faces away at rest; and outlines
        are where they are."""
        (first, _), inside = self._seen, self.with_inside().layers[1]
        irises = _moved(first, "gaze_up", "gaze_left")
        layers = [first, _joined(inside, self._hidden(_IRIS_GAP, irises), irises)]
        before, fine = (_behind(studio.surfaces()) for studio in (self._studio, self._fine))
        for _ in range(count - len(layers)):
            found, colours = self._studio.surfaces(before, True), self._fine.surfaces(fine, True)
            layers.append(Layer(colours.colour, found.seen, self._fields_of(found)))
            before, fine = _behind(found), _behind(colours)
        return Layered(tuple(layers), self.joints)

    def with_inside(self) -> Layered:
        """What is seen, outlines as parts of the surfaces that they are drawn around, and behind its lips the inside
        of the mouth."""
        first, lines = self._seen
        first = replace(first, fields=_with_their_surfaces(first.fields, first.seen, lines))
        lips = _around_seam(first, [shape for shape in SINGLE if shape.startswith("mouth_")])
        inside = self._hidden(GAP, lips)
        near = inside.seen & (inside.fields[..., DEPTH] - first.fields[..., DEPTH] < _INSIDE)
        fields = inside.fields * near[..., None]
        fields[near, DEPTH] = np.maximum(fields[near, DEPTH], first.fields[near, DEPTH] + THROAT)
        return Layered((first, replace(inside, seen=near, fields=fields)), self.joints)

    def _hidden(self, gap: float, where: Mask) -> Layer:
        """What lies behind that part of the first layer, by more than a gap."""
        found, colours = (s.surfaces(_behind(s.surfaces(), gap)) for s in (self._studio, self._fine))
        seen = found.seen & where & self._seen[0].seen
        return Layer(colours.colour, seen, self._fields_of(found) * seen[..., None])

    @cached_property
    def joints(self) -> Floats:
        """(4, 3): see ``Layered.joints``; a bone that the figure lacks turns where its neighbour does."""
        roles, camera = self._actor.rig.roles, self._actor.camera
        heads = self._actor.figure.bone_heads
        spine = [role for role in SPINE if role in roles]
        neck = roles.get("neck", roles.get("head", 0))
        first, last = (roles[spine[0]], roles[spine[-1]]) if spine else (neck, neck)
        found = []
        for bone in (first, last, neck, roles.get("head", neck)):
            x, y, z = heads[bone]
            found.append(
                ((x - camera.x) / camera.half, (camera.y - y) / camera.half, (z - camera.z) / camera.half)
            )
        assert len(found) == len(BONES)
        return np.array(found, np.float32)

    @cached_property
    def _seen(self) -> tuple[Layer, Mask]:
        """What is seen, and which of it are lines around surfaces: the far sides of hulls, which lie behind."""
        found = self._studio.surfaces()
        lines = found.seen & (found.corners[..., 0] >= len(self._actor.figure.positions))
        fields = self._fields_of(found)
        fields[lines, DEPTH] = (1 / found.nearness[lines] - 1) * DISTANCE
        return Layer(from_srgb8(self._studio.rest), found.seen, fields), lines

    def _fields_of(self, found: Surfaces) -> Floats:
        """(n, n, FIELDS)."""
        fields = np.zeros((*found.seen.shape, FIELDS), np.float32)
        corners, shares = found.corners[found.seen], found.shares[found.seen]
        fields[found.seen] = np.einsum("pc,pcf->pf", shares, self._fields[corners])
        return fields


def _moved(layer: Layer, *shapes: str) -> Mask:
    """(n, n): what any of these shapes moves."""
    fields = np.concatenate([layer.fields[..., shape_fields(shape)] for shape in shapes], -1)
    return np.asarray((np.abs(fields) > _STILL).any(-1))


def _around_seam(layer: Layer, shapes: Sequence[str]) -> Mask:
    """(n, n): near where one of these shapes parts neighbours of one surface: lips, and not the chin that moves below
    them."""
    n, seam = len(layer.seen), np.zeros(layer.seen.shape, np.uint8)
    whole = np.abs(np.diff(layer.fields[..., DEPTH], axis=0)) < _SEAM
    for shape in shapes:
        apart = np.abs(np.diff(layer.fields[..., shape_fields(shape)], axis=0)).max(-1)
        seam[1:] |= (apart > _SEAM) & whole & layer.seen[1:] & layer.seen[:-1]
    away = cv2.distanceTransform(1 - seam, cv2.DIST_L2, 5)
    return np.asarray((away < _AROUND_SEAM * n / 2) & bool(seam.any()))


def _joined(one: Layer, other: Layer, where: Mask) -> Layer:
    """One layer, with another in its place somewhere."""
    m = len(one.colour)
    fine = cv2.resize(where.astype(np.uint8), (m, m), interpolation=cv2.INTER_NEAREST)[..., None] > 0
    return Layer(
        np.where(fine, other.colour, one.colour),
        np.where(where, other.seen, one.seen),
        np.where(where[..., None], other.fields, one.fields),
    )


def _behind(found: Surfaces, gap: float = GAP) -> Floats:
    """(n, n): nothing is to be drawn that is nearer than this; behind nothing there is nothing."""
    away = 1 / np.maximum(found.nearness, 1e-6) + gap / DISTANCE
    return np.where(found.seen, 1 / away, 0).astype(np.float32)


def _with_their_surfaces(fields: Floats, seen: Mask, lines: Mask) -> Floats:
    """Fields, (n, n, FIELDS), of which outlines have those of the surfaces that they are drawn around.

    A line is the far side of a hull: it lies behind its surface, and before everything else that it is seen beside.
    From pixel to pixel it takes the fields of the neighbour that is closest before it.
    """
    fields, known = fields.copy(), seen & ~lines
    own = fields[..., DEPTH].copy()
    n = len(own)
    for _ in range(_LINE):
        padded = np.pad(np.where(known, fields[..., DEPTH], np.inf), 1, constant_values=np.inf)
        around = np.stack([padded[y : y + n, x : x + n] for y in range(3) for x in range(3)])
        before = np.where(around <= own, around, -np.inf)
        rows, columns = np.nonzero(lines & ~known & np.isfinite(before.max(0)))
        if not len(rows):
            break
        y, x = np.divmod(before[:, rows, columns].argmax(0), 3)
        fields[rows, columns] = fields[rows + y - 1, columns + x - 1]
        known[rows, columns] = True
    return fields


def vertex_fields(actor: Actor, rest: Pose) -> Floats:
    """(V, FIELDS): what ``Layer.fields`` is at each vertex of an actor's figure."""
    base, half = actor.placed(rest)[0], actor.camera.half
    out = np.zeros((len(base), FIELDS), np.float32)
    out[:, DEPTH] = (base[:, 2] - actor.camera.z) / half
    out[:, BODY], out[:, HEAD] = actor.rig.follows()
    left = out[:, LEFT] = base[:, 0] > actor.camera.x
    to_square = np.array([1, -1], np.float32) / half

    def moved(channel: str) -> Floats:
        """By a channel's morph alone: bones do not turn a face at rest."""
        offsets = np.zeros((len(base), 2), np.float32)
        morph = actor.morph(channel)
        if morph is not None:
            np.add.at(offsets, morph.vertices, morph.offsets[:, :2] * to_square)
        return offsets

    for shape in PAIRED:
        own, other = moved(f"{shape}_left"), moved(f"{shape}_right")
        out[:, shape_fields(shape)] = np.where(left[:, None] > 0, own, other)
    for shape in SINGLE:
        if shape.startswith("gaze_"):
            turned = replace(rest, gaze=(1.0, 0.0) if shape == "gaze_up" else (0.0, 1.0))
            out[:, shape_fields(shape)] = (actor.placed(turned)[0] - base)[:, :2] * to_square
        else:
            out[:, shape_fields(shape)] = moved(shape)
    return out
