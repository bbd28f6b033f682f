# SPDX-License-Identifier: GPL-3.0-or-later
"""Resampling of pictures: premultiplied, linear light, pixel centres at half-integers everywhere."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from keywarp.core.framing import Framing
from keywarp.core.motion import FloatImage
from keywarp.core.opencv import cv2
from keywarp.core.picture import Picture

Affine = npt.NDArray[np.float64]
"""(2, 3): continuous coordinates to continuous coordinates (pixel 0's centre at 0.5)."""


@cache
def identity_map(height: int, width: int) -> FloatImage:
    """(h, w, 2): each pixel's own centre in OpenCV's counting, where pixel 0's centre is 0."""
    return np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)


def then(first: Affine, second: Affine) -> Affine:
    """The affine map that applies ``first``, then ``second``."""
    return np.hstack([second[:, :2] @ first[:, :2], second[:, :2] @ first[:, 2:] + second[:, 2:]])


def shifted(affine: Affine, x: float, y: float) -> Affine:
    """``affine`` for coordinates that begin at (x, y)."""
    out = affine.copy()
    out[:, 2] += affine[:, 0] * x + affine[:, 1] * y
    return out


def inverse(affine: Affine) -> Affine:
    a = np.linalg.inv(affine[:, :2])
    return np.hstack([a, -a @ affine[:, 2:]])


def square_to_pixels(side: int) -> Affine:
    """The model's square, [-1, 1], to pixels of an image ``side`` wide."""
    return np.array([[side / 2, 0, side / 2], [0, side / 2, side / 2]])


def warp(
    image: FloatImage, target_to_source: Affine, width: int, height: int, interpolation: int, border: int
) -> FloatImage:
    """(height, width, ...) sampled from ``image`` at ``target_to_source`` of each pixel's centre."""
    # OpenCV counts from pixel centres; a shift by half a pixel on both sides takes that in.
    matrix = shifted(target_to_source, 0.5, 0.5)
    matrix[:, 2] -= 0.5
    out: FloatImage = cv2.warpAffine(
        image, matrix, (width, height), flags=interpolation | cv2.WARP_INVERSE_MAP, borderMode=border
    )
    return out


def warp_by_flow(image: FloatImage, flow: FloatImage) -> FloatImage:
    """``image``, (h, w, ...), sampled bilinearly where ``flow``, (h, w, 2) in square units, says; the border
    clamped."""
    h, w = flow.shape[:2]
    where = identity_map(h, w) + flow * np.array([w / 2, h / 2], np.float32)
    out: FloatImage = cv2.remap(image, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return out


def enlarge(image: FloatImage, width: int, height: int) -> FloatImage:
    """``image`` scaled up by Lanczos (a = 4), its overshoot held to [0, 1] and colour to alpha."""
    out = cv2.resize(image, (width, height), interpolation=cv2.INTER_LANCZOS4)
    return hold(out)


def hold(image: FloatImage) -> FloatImage:
    """Premultiplied colour and alpha back in range after a kernel with negative lobes."""
    np.clip(image, 0, 1, out=image)
    np.minimum(image[..., :3], image[..., 3:], out=image[..., :3])
    return image


def reduce(image: FloatImage, width: int, height: int) -> FloatImage:
    """``image`` scaled down by averaging areas."""
    out: FloatImage = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return out


def place_picture(picture: Picture, picture_to_frame: Affine, width: int, height: int) -> Picture:
    """(height, width, 4): the picture laid into a frame by a similarity; transparent outside of it.

    Larger or smaller by area averages and Lanczos: detail neither aliases nor blurs.
    """
    scale = _scale_of(picture_to_frame)
    h, w = picture.shape[:2]
    if _is_whole_resize(picture_to_frame, w, h, width, height):
        if (width, height) == (w, h):
            return picture.copy()
        return reduce(picture, width, height) if scale < 1 else enlarge(picture, width, height)
    # Beyond the border its own pixels go on, and are cut off by area: mixed with the nothing there, what reaches the
    # border of the picture would become transparent for the width of the kernel.
    covered = _coverage(w, h, picture_to_frame, width, height)[..., None]
    if scale < 1:
        return _shrunk(picture, picture_to_frame, width, height) * covered
    out = warp(picture, inverse(picture_to_frame), width, height, cv2.INTER_LANCZOS4, cv2.BORDER_REPLICATE)
    return hold(out) * covered


def place_mask(mask: FloatImage, mask_to_frame: Affine, width: int, height: int) -> FloatImage:
    """(height, width): a mask laid into a frame, between its own values everywhere; beyond it they go on."""
    if _scale_of(mask_to_frame) < 1:
        return _shrunk(mask, mask_to_frame, width, height)
    return warp(mask, inverse(mask_to_frame), width, height, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)


def _scale_of(similarity: Affine) -> float:
    return float(np.hypot(*similarity[:, 0]))


def _shrunk(image: FloatImage, to_frame: Affine, width: int, height: int) -> FloatImage:
    """Averaged down to between one and two source pixels per target pixel, then sampled; the border goes on."""
    by = max(int(1 / _scale_of(to_frame)), 1)
    if by > 1:
        h, w = image.shape[:2]
        padded = cv2.copyMakeBorder(image, 0, -h % by, 0, -w % by, cv2.BORDER_REPLICATE)
        image = reduce(padded, padded.shape[1] // by, padded.shape[0] // by)
        to_frame = then(np.array([[by, 0, 0], [0, by, 0]], np.float64), to_frame)
    return _supersampled(image, inverse(to_frame), width, height, 2)


def _coverage(w: int, h: int, to_frame: Affine, width: int, height: int) -> FloatImage:
    """(height, width): the share of each pixel that a picture of w x h pixels covers."""
    back, scale = inverse(to_frame), _scale_of(to_frame)
    x, y = np.arange(width) + 0.5, np.arange(height)[:, None] + 0.5
    u, v = (row[0] * x + row[1] * y + row[2] for row in back)
    across, down = (
        np.clip(np.minimum(place, side - place) * scale + 0.5, 0, 1) for place, side in ((u, w), (v, h))
    )
    out: FloatImage = (across * down).astype(np.float32)
    return out


def _is_whole_resize(matrix: Affine, w: int, h: int, width: int, height: int) -> bool:
    whole = np.array([[width / w, 0, 0], [0, height / h, 0]])
    return bool(
        np.allclose(matrix, whole, atol=1e-6 * max(width, height))
        and np.isclose(width / w, height / h, rtol=1e-9)
    )


def _supersampled(
    picture: FloatImage, target_to_source: Affine, width: int, height: int, by: int
) -> FloatImage:
    fine = then(np.array([[1 / by, 0, 0], [0, 1 / by, 0]]), target_to_source)
    image = warp(picture, fine, width * by, height * by, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)
    return reduce(image, width, height)


def square_picture(picture: Picture, framing: Framing, side: int) -> Picture:
    """(side, side, 4): what of the picture lies in the model's square."""
    return place_picture(picture, then(framing.matrix(), square_to_pixels(side)), side, side)


def nearest_known(known: npt.NDArray[np.bool_]) -> tuple[FloatImage, npt.NDArray[np.int64]]:
    """Of each pixel, (h, w), how far the nearest known one is, in pixels, and its place in the flattened image. At
    least one is known."""
    distance, labels = cv2.distanceTransformWithLabels(
        (~known).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    place = np.empty(int(labels.max()) + 1, np.int64)
    place[labels[known]] = np.flatnonzero(known)
    return np.asarray(distance, np.float32), place[labels]
