# SPDX-License-Identifier: GPL-3.0-or-later
"""Fields that change where the drawing does.

A network knows what a pixel belongs to, but not to the pixel: from a chin to the neck behind it its numbers pass
slowly, and a cut through such a slope is ragged. The drawing knows the place, since artists draw a line there, or
change the colour. So numbers are trusted where they hardly change, and spread from there, along what is drawn alike,
into the slopes: by weighted least squares, solved along columns and rows in turn (D. Min et al., *Fast Global Image
Smoothing Based on Weighted Least Squares*, IEEE TIP 2014, sections III and IV).
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from keywarp.core.layered import BODY, DEPTH, FIELDS, HEAD, SHAPES, Floats, Mask, shape_fields
from keywarp.core.opencv import cv2

Doubles = npt.NDArray[np.float64]
Links = tuple[Doubles, Doubles]
"""What each pixel and its lower, and its right neighbour weigh to each other: (n - 1, n) and (n, n - 1)."""
Number = TypeVar("Number", np.float32, np.int64)

_CONTRAST, _STRENGTH = 0.06, 0.1
"""Difference of colour, in sRGB's [0, 1], that parts neighbours; what these weigh against a number that is fully
trusted."""
_EVEN_CONTRAST, _EVEN_STRENGTH = 0.4, 2.0
"""The same for evening out depth: what trembles in it frays silhouettes once they turn."""
_ROUNDS = 3
_DOUBT = 0.001
"""How far a number is trusted at least."""
_STEEP = 0.03
"""Depth over three pixels, in square units, at which a number is trusted by half."""
_STEEP_LID = 0.15
"""The same of what a lid's shape moves, in shares of its longest way."""
_PARTS = 9, 0.3
"""Pixels across within which bones must differ by so much for two parts to meet there."""
_LINE = 0.05
"""By how much a drawn line is darker than what is on both sides of it."""
_LINE_REACH = 3
"""Pixels within which the surface is looked for that a line belongs to."""
_PASSING = 0.004
"""Depth, in square units, by which such a surface must be nearer for each pixel that it lies farther off."""
_SKIN = 2
"""Pixels of skin that move with a lid's edge: stretched, its soft edge would smear over the eye."""
_LIPS = 0.5
"""Share of the farthest way of pursed lips that a pixel goes at least where it is theirs."""
_AROUND_LIPS = 2
"""Pixels beyond the lips that an open mouth may show."""
_LIDS = [name for name in SHAPES if name.startswith("eye_")]


def refined(fields: Floats, seen: Mask, drawing: Floats) -> Floats:
    """The fields of a picture, (n, n, F) with at least a ``Layer``'s, changing where what is drawn does.

    ``seen``: (n, n); ``drawing``: (n, n, 4), [0, 1], the picture's premultiplied colours encoded as sRGB, and its
    opacity. Sharpened are the ways of the lids, and everything around places where parts that different bones carry
    meet; depth is evened out, and all of it a little, along what is drawn alike.
    """
    if not seen.any():
        return fields
    links = _links(drawing, seen, _CONTRAST, _STRENGTH)
    wide, differ = _PARTS
    meeting = _range(fields[..., BODY] + fields[..., HEAD], seen, wide) > differ
    out = _sharp_lids(fields, seen, links)
    out[..., DEPTH] = _even(fields[..., DEPTH], seen, drawing, meeting)
    return _sharp_parts(out, seen, drawing, meeting, links)


def mouth_opening(fields: Floats, seen: Mask) -> Mask:
    """(n, n): where an open mouth may show its inside: the lips, and below them as far as the lower one goes."""
    n = len(seen)
    lips = [np.abs(fields[..., shape_fields(name)]).max(-1) for name in ("mouth_uuu", "mouth_iii")]
    way = np.maximum(*lips) * seen
    opening = np.zeros((n, n), bool)
    if way.any():
        rows, columns = np.nonzero(way > _LIPS * way.max())
        (top, bottom), (left, right) = (np.percentile(x, (1, 99)).astype(int) for x in (rows, columns))
        down = int(np.max(fields[..., shape_fields("mouth_aaa")][..., 1] * seen) * n / 2)
        more = _AROUND_LIPS
        opening[max(top - more, 0) : bottom + down + more + 1, max(left - more, 0) : right + more + 1] = True
    return opening


def _sharp_lids(fields: Floats, seen: Mask, links: Links) -> Floats:
    """Fields whose lids end where lashes do, and take the skin above along."""
    out, places = fields.copy(), [shape_fields(name) for name in _LIDS]
    ways = [fields[..., place] * seen[..., None] for place in places]
    trusts = []
    for way in ways:
        steep = np.maximum(*(_range(way[..., axis], seen, 3) for axis in (0, 1)))
        trusts += [_trust(steep, _STEEP_LID * max(float(np.abs(way).max()), 1e-6), seen)] * 2
    sharp = smoothed(np.concatenate(ways, -1), np.stack(trusts, -1), links)
    for number, place in enumerate(places):
        out[..., place] = _with_skin(sharp[..., 2 * number : 2 * number + 2], seen)
    return out


def _with_skin(way: Floats, seen: Mask) -> Floats:
    """A lid's shape that takes along what lies just behind its edge, as seen from where it goes."""
    out = way.copy()
    for pixels in range(1, _SKIN + 1):
        for direction in (1, -1):
            ahead = _shifted(way, -direction * pixels, 0)
            takes = (ahead[..., 1] * direction > 0) & (np.abs(ahead[..., 1]) > np.abs(out[..., 1])) & seen
            out[takes] = ahead[takes]
    return out


def _even(depth: Floats, seen: Mask, drawing: Floats, meeting: Mask) -> Floats:
    """(n, n): depth without what trembles in it; not where parts meet, which are sharpened."""
    links = _links(drawing, seen & ~meeting, _EVEN_CONTRAST, _EVEN_STRENGTH)
    trust = seen[..., None].astype(np.float64) + 1e-6
    return smoothed(depth[..., None], trust, links)[..., 0]


def _sharp_parts(fields: Floats, seen: Mask, drawing: Floats, meeting: Mask, links: Links) -> Floats:
    """Fields whose parts end at drawn lines, which belong to the nearer of them."""
    lines = _lines(drawing) & seen & meeting
    trust = _trust(_range(fields[..., DEPTH], seen, 3), _STEEP, seen)
    trust[seen & ~meeting] = 1
    trust[lines] = 1e-6
    out = fields.copy()
    out[..., :FIELDS] = smoothed(fields[..., :FIELDS], trust[..., None], links)
    return _lines_forward(out, seen, lines)


def _lines(drawing: Floats) -> Mask:
    """Where thin dark lines are, with their soft edges."""
    grey = drawing[..., :3].mean(-1) + 1 - drawing[..., 3]
    darker = cv2.morphologyEx(grey, cv2.MORPH_BLACKHAT, np.ones((5, 5), np.uint8))
    return np.asarray(cv2.dilate((darker > _LINE).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0)


def _lines_forward(fields: Floats, seen: Mask, lines: Mask) -> Floats:
    """Fields in which a line has those of the nearest surface beside it."""
    depth = np.where(seen & ~lines, fields[..., DEPTH], np.float32(np.inf))
    own = np.arange(depth.size, dtype=np.int64).reshape(depth.shape)
    nearest, source = np.full_like(depth, np.inf), own
    for down in range(-_LINE_REACH, _LINE_REACH + 1):
        for across in range(-_LINE_REACH, _LINE_REACH + 1):
            there = _shifted(depth, down, across, np.inf) + np.float32(_PASSING * np.hypot(down, across))
            nearer = there < nearest
            nearest = np.where(nearer, there, nearest)
            source = np.where(nearer, _shifted(own, down, across), source)
    source = np.where(lines & np.isfinite(nearest), source, own)
    return np.asarray(fields.reshape(-1, fields.shape[-1])[source], np.float32)


def _links(drawing: Floats, seen: Mask, contrast: float, strength: float) -> Links:
    """What neighbours weigh that are drawn alike."""
    found = []
    for axis in (0, 1):
        differ = np.abs(np.diff(drawing, axis=axis)).max(-1)
        both = np.logical_and(*((seen[1:], seen[:-1]) if axis == 0 else (seen[:, 1:], seen[:, :-1])))
        alike = np.exp(-((differ / contrast) ** 2)) * both
        found.append((strength * alike + 1e-10).astype(np.float64))
    return found[0], found[1]


def _range(values: Floats, seen: Mask, across: int) -> Floats:
    """(n, n): by how much values around a pixel differ, as far as they are seen."""
    kernel = np.ones((across, across), np.uint8)
    high, low = (np.where(seen, values, np.float32(end)).astype(np.float32) for end in (-1e9, 1e9))
    return np.where(seen, cv2.dilate(high, kernel) - cv2.erode(low, kernel), np.float32(0))


def _trust(steep: Floats | Doubles, half: float, seen: Mask) -> Doubles:
    return np.asarray(np.maximum(1 / (1 + (steep / half) ** 4), _DOUBT) * seen + 1e-6, np.float64)


def smoothed(values: Floats, trust: Doubles, links: Links) -> Floats:
    """Values, (n, n, C), that keep to what they were as far as they are trusted, (n, n, C) or (n, n, 1), and else to
    their neighbours."""
    now = values.astype(np.float64)
    for left in reversed(range(_ROUNDS)):
        share = 1.5 * 4.0**left / (4.0**_ROUNDS - 1)
        now = along_columns(now, trust, share * links[0][..., None])
        turned = (x.swapaxes(0, 1) for x in (now, trust, share * links[1][..., None]))
        now = along_columns(*turned).swapaxes(0, 1)
    return np.asarray(now, np.float32)


def along_columns(values: Doubles, trust: Doubles, links: Doubles) -> Doubles:
    """Of each column the x with the least sum of ``trust * (x - values)**2 + links * (x - next x)**2``.

    ``values``: (n, m, C), ``trust``: (n, m, C or 1), ``links``: (n - 1, m, 1). A tridiagonal system for each column,
    solved by elimination downwards and substitution upwards.
    """
    n = len(values)
    middle = trust.copy()
    middle[1:] += links
    middle[:-1] += links
    x, passed = values * trust, np.empty_like(middle[1:])
    x[0] /= middle[0]
    for i in range(1, n):
        passed[i - 1] = links[i - 1] / middle[i - 1]
        middle[i] -= links[i - 1] * passed[i - 1]
        x[i] = (x[i] + links[i - 1] * x[i - 1]) / middle[i]
    for i in range(n - 2, -1, -1):
        x[i] += passed[i] * x[i + 1]
    return x


def _shifted(values: npt.NDArray[Number], down: int, across: int, fill: float = 0) -> npt.NDArray[Number]:
    """Values moved by whole pixels, with ``fill`` where none come from."""
    height, width = values.shape[:2]
    out = np.full_like(values, fill)
    rows = slice(max(down, 0), height + min(down, 0)), slice(max(-down, 0), height - max(down, 0))
    columns = slice(max(across, 0), width + min(across, 0)), slice(max(-across, 0), width - max(across, 0))
    out[rows[0], columns[0]] = values[rows[1], columns[1]]
    return out
