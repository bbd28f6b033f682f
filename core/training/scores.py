# SPDX-License-Identifier: GPL-3.0-or-later
"""How near an answer comes to the truth. Pictures are compared as people see them: sRGB values over mid grey."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from keywarp.core.color import linear_to_srgb, srgb_to_linear
from keywarp.core.motion import FloatImage
from keywarp.core.opencv import cv2
from keywarp.core.picture import Picture

GREY = float(srgb_to_linear(np.array(0.5)))
"""Linear light of what stands behind transparent pixels."""
BEST_PSNR = 100.0
"""What equal pictures score, in dB."""
NAMES = ("mae", "rmse", "psnr", "ssim")


def seen(picture: Picture) -> FloatImage:
    """(H, W, 3) encoded sRGB in [0, 1]: the picture over mid grey."""
    out: FloatImage = linear_to_srgb(picture[..., :3] + np.float32(GREY) * (1 - picture[..., 3:]))
    return np.clip(out, 0, 1)


def picture_scores(image: FloatImage, truth: FloatImage, mask: FloatImage | None = None) -> dict[str, float]:
    """MAE and RMSE in [0, 1], PSNR in dB, SSIM, of (H, W, 3) encoded pictures; with a ``mask``, (H, W), of its
    pixels, each weighted by it."""
    return scores_of_parts(image, truth, {"": mask})[""]


def scores_of_parts(
    image: FloatImage, truth: FloatImage, masks: Mapping[str, FloatImage | None]
) -> dict[str, dict[str, float]]:
    """The same by name of a mask; ``None`` stands for the whole picture."""
    difference = image.astype(np.float64) - truth
    planes = np.abs(difference).mean(-1), (difference**2).mean(-1), similarity(image, truth)
    found = {}
    for name, mask in masks.items():
        weight = None if mask is None else mask.astype(np.float64)
        mae, square, ssim = (_mean(plane, weight) for plane in planes)
        psnr = min(-10 * float(np.log10(max(square, 1e-12))), BEST_PSNR)
        found[name] = {"mae": mae, "rmse": square**0.5, "psnr": psnr, "ssim": ssim}
    return found


def _mean(values: npt.NDArray[np.float64], weight: npt.NDArray[np.float64] | None) -> float:
    if weight is None:
        return float(values.mean())
    return float((values * weight).sum() / max(float(weight.sum()), 1e-9))


def similarity(image: FloatImage, truth: FloatImage) -> npt.NDArray[np.float64]:
    """(H, W): structural similarity around every pixel, averaged over colours (Wang et al. 2004: a Gaussian window
    11 wide of deviation 1.5, K1 = 0.01, K2 = 0.03), the pictures mirrored at their borders."""

    def local(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.asarray(cv2.GaussianBlur(x, (11, 11), 1.5, borderType=cv2.BORDER_REFLECT_101), np.float64)

    a, b = image.astype(np.float64), truth.astype(np.float64)
    mean_a, mean_b = local(a), local(b)
    var_a, var_b = local(a * a) - mean_a**2, local(b * b) - mean_b**2
    both = local(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    index = ((2 * mean_a * mean_b + c1) * (2 * both + c2)) / (
        (mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)
    )
    return np.asarray(index.mean(-1), np.float64)


def flow_error(flow: FloatImage, truth: FloatImage, weight: FloatImage) -> float:
    """The mean distance between two flows, (H, W, 2), in pixels, where ``weight``, (H, W), says (Baker et al.
    2011: end-point error)."""
    distance = np.linalg.norm((flow - truth) * (flow.shape[1] / 2), axis=-1)
    return float((distance * weight).sum() / max(float(weight.sum()), 1e-9))


def warping_error(
    before: FloatImage, after: FloatImage, truth_before: FloatImage, truth_after: FloatImage
) -> float:
    """How unsteadily a picture follows the motion of the truth (Lai et al. 2018, flow warping error): the mean square
    difference between ``after`` and ``before`` brought there by the optical flow of the true pictures, where that
    flow explains these. Encoded pictures, (H, W, 3); flow by OpenCV's DIS."""
    grey = [np.rint(x.mean(-1) * 255).astype(np.uint8) for x in (truth_after, truth_before)]
    finder = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow = finder.calc(grey[0], grey[1], None)
    h, w = flow.shape[:2]
    where = flow + np.stack(np.meshgrid(np.arange(w), np.arange(h)), -1).astype(np.float32)

    def moved(image: FloatImage) -> FloatImage:
        out: FloatImage = cv2.remap(
            image.astype(np.float32), where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return out

    explained = np.exp(-50 * ((moved(truth_before) - truth_after) ** 2).mean(-1))
    error = ((moved(before) - after) ** 2).mean(-1)
    return float((error * explained).sum() / max(float(explained.sum()), 1e-9))


def spread(count: int, of: int) -> list[int]:
    """``count`` places spread evenly over ``of``."""
    return sorted({int(x) for x in np.linspace(0, of - 1, min(count, of))})


def means(rows: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The mean of every score over the rows that have it."""
    found: dict[str, list[float]] = {}
    for row in rows:
        for name, value in row.items():
            found.setdefault(name, []).append(value)
    return {name: float(np.mean(values)) for name, values in found.items()}
