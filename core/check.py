# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a picture that is to be animated, and what its owner can do about it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from keywarp.core.color import linear_to_srgb
from keywarp.core.framing import Framing
from keywarp.core.head import THA_HEAD, THA_SIDE, HeadBox, HeadTarget, fits, guess_head
from keywarp.core.picture import Picture, PictureFile

Severity = Literal["error", "warning", "hint"]
"""``error``: it will not look right; ``warning``: it will look worse; ``hint``: worth a look."""


@dataclass(frozen=True)
class Finding:
    """One fault of a picture."""

    severity: Severity
    what: str
    """What is wrong, one sentence."""
    remedy: str
    """What to do, one sentence; where a command helps, it stands at the end, ready to be copied."""


#: Heads of fewer pixels show no face to speak of.
_LEAST_HEAD = 48
#: Contrast (2nd to 98th percentile of encoded luminance) below which nothing can be made out: illustrations
#: have 0.7 and more about the eyes, 0.15 and more about the mouth.
_EYE_CONTRAST = 0.25
_MOUTH_CONTRAST = 0.06
#: Shares of the head box: left, top, right, bottom. Left and right are the picture's.
_EYES = {"left": (0.18, 0.50, 0.50, 0.78), "right": (0.50, 0.50, 0.82, 0.78)}
_MOUTH = (0.35, 0.78, 0.65, 0.95)


def check_picture(
    file: PictureFile,
    head: HeadBox | None = None,
    framing: Framing | None = None,
    target: HeadTarget | None = THA_HEAD,
    side: int = THA_SIDE,
    model: str = "",
    hd: Path | None = None,
) -> list[Finding]:
    """The faults of a picture, the gravest first; none for a perfect one.

    ``head``: where a person says that the head is, else it is guessed. ``framing``: the framing that the
    character has; without it the picture will be framed by the head, and its place is no fault.
    ``target`` and ``side``: where the model expects the head in its square (``None``: it wants the whole picture, and
    neither place nor size of the head are faults), and that square's pixels. ``model``:
    what a person named it by, for the commands that remedies give; ``hd``: the same artwork at a higher resolution.
    """
    if not file.pixels[..., 3].any():
        cure = "save the picture again with its layers shown"
        return [Finding("error", f"{file.path} is wholly transparent", cure)]
    found = head or guess_head(file.pixels)
    if found is None:
        cure = "choose the picture of a character, or say where the head is: --head X,Y,W,H"
        return [*_background(file), Finding("error", f"{file.path} shows no figure", cure)]
    line = new_command(file, found, model, hd)
    findings = [
        *_background(file),
        *(() if target is None else _place(line, found, framing, target)),
        *(() if target is None else _size(file, line, found, target, side, hd is not None)),
    ]
    if found.confidence >= 0.4:
        findings += [*_cut(file.pixels, found), *_face(file, line, found)]
        if file.has_alpha:
            findings += _fringe(file.pixels, found)
    if file.has_alpha:
        findings += [*_figures(file.pixels), *_translucent(file.pixels)]
    order: tuple[Severity, ...] = ("error", "warning", "hint")
    return sorted(findings, key=lambda finding: order.index(finding.severity))


def new_command(file: PictureFile, head: HeadBox, model: str, hd: Path | None) -> str:
    """The line that makes a character file with this head box."""
    named = [("--model", model), ("--hd", "" if hd is None else str(hd))]
    options = "".join(f" {option} {shlex.quote(value)}" for option, value in named if value)
    # Whole pixels, but of boxes so small that these would be another box.
    digits = None if min(head.w, head.h) >= _LEAST_HEAD else 2
    box = ",".join(f"{round(v, digits)}" for v in (head.x, head.y, head.w, head.h))
    name = shlex.quote(f"{file.path.stem}.yaml")
    return f"keywarp new {shlex.quote(str(file.path))} --head {box}{options} -o {name}"


def _background(file: PictureFile) -> Iterator[Finding]:
    cure = "erase the background and save the picture as PNG with transparency"
    if not file.has_alpha:
        yield Finding(
            "warning",
            f"{file.path} stores no transparency, so the background will be bent along with the character",
            cure,
        )
        return
    alpha = file.pixels[..., 3]
    if np.mean(alpha >= 0.98) > 0.99:
        yield Finding("warning", f"{file.path} has an alpha channel, but is opaque everywhere", cure)
        return
    # Below two thirds of the height, clothes may well reach the border.
    border = np.concatenate([alpha[0], *(alpha[: max(2 * len(alpha) // 3, 1), x] for x in (0, -1))])
    if np.mean(border >= 0.5) > 0.5:
        yield Finding("warning", "the background is not transparent: most of the border is opaque", cure)
    elif np.mean((border > 0.02) & (border < 0.5)) > 0.2:
        yield Finding(
            "warning",
            "the background is not wholly transparent: a faint haze reaches the border",
            "erase what is left of the background, or raise the black point of the alpha channel",
        )


def _place(line: str, head: HeadBox, framing: Framing | None, target: HeadTarget) -> Iterator[Finding]:
    if head.confidence < 0.4:
        yield Finding(
            "warning",
            "no head could be found by the picture's silhouette",
            "give the box from crown to chin yourself, in picture pixels, in place of the numbers here: "
            + line,
        )
    elif framing is not None and not fits(head, framing, target):
        yield Finding(
            "error",
            f"the head, {_words(head)}, is not where the model expects it, {_words(_expected(framing, target))}",
            f"frame the picture by its head: {line}",
        )


def _words(box: HeadBox) -> str:
    return f"{box.w:.0f}x{box.h:.0f} pixels at {box.x:.0f},{box.y:.0f}"


def _expected(framing: Framing, target: HeadTarget) -> HeadBox:
    """The model's head box in picture pixels."""
    cx, cy = framing.inverse() @ (target.cx, target.cy, 1.0)
    side = target.side / framing.scale
    return HeadBox(float(cx) - side / 2, float(cy) - side / 2, side, side)


def _size(
    file: PictureFile, line: str, head: HeadBox, target: HeadTarget, side: int, larger: bool
) -> Iterator[Finding]:
    expected = target.side / 2 * side
    cure = "use the artwork at a higher resolution"
    if not larger:
        cure += ", or name it: " + line.replace(" -o ", " --hd PICTURE -o ")
    elif head.side >= _LEAST_HEAD:
        return  # the detail comes from there
    if head.side < 0.9 * expected:
        severe: Severity = "error" if head.side < _LEAST_HEAD else "warning"
        yield Finding(
            severe,
            f"the head is only {head.side:.0f} pixels high; "
            f"the model draws it at {expected:.0f}, so the picture must be enlarged {expected / head.side:.1f} times",
            cure,
        )
    elif max(file.width, file.height) < side:
        yield Finding(
            "warning",
            f"the picture has only {file.width}x{file.height} pixels, fewer than the model's {side}x{side}",
            cure,
        )


def _cut(picture: Picture, head: HeadBox) -> Iterator[Finding]:
    """The edges of the picture at the head's height, and above it."""
    solid = picture[..., 3] >= 0.5
    if np.mean(solid) > 0.99:
        return
    height, width = solid.shape
    top, bottom = (int(np.clip(v, 0, height)) for v in (head.y, head.y + head.h))
    left, right = (int(np.clip(v, 0, width)) for v in (head.x, head.x + head.w))
    sides = {
        "upper": solid[0, left:right],
        "left": solid[top:bottom, 0],
        "right": solid[top:bottom, -1],
    }
    cut = [name for name, line in sides.items() if line.size and np.mean(line) > 0.1]
    if cut:
        where = " and ".join(cut)
        yield Finding(
            "warning",
            f"the character touches the {where} edge of the picture at the height of the head and looks cut off",
            "use a picture that shows the whole head with some room around it, "
            "or enlarge the canvas and draw what is missing",
        )


def _figures(picture: Picture) -> Iterator[Finding]:
    count, _, stats, _ = cv2.connectedComponentsWithStats((picture[..., 3] >= 0.5).astype(np.uint8))
    areas = stats[1:count, cv2.CC_STAT_AREA]
    large = int(np.sum(areas >= 0.2 * areas.max())) if len(areas) else 0
    if large > 1:
        yield Finding(
            "warning",
            f"the picture shows {large} separate figures; only one can be animated",
            "keep one of them and erase the rest, or say which by --head",
        )


def _translucent(picture: Picture) -> Iterator[Finding]:
    alpha = picture[..., 3]
    margin = max(3, max(alpha.shape) // 150) | 1
    inside = cv2.erode((alpha > 0.1).astype(np.uint8), np.ones((margin, margin), np.uint8), borderValue=0) > 0
    share = float(np.mean(alpha[inside] < 0.95)) if inside.any() else 0.0
    if share > 0.05:
        yield Finding(
            "warning",
            f"{100 * share:.0f} % of the character is translucent, so the background will show through it",
            "make the body opaque in the alpha channel; only its edge should be soft",
        )


def _fringe(picture: Picture, head: HeadBox) -> Iterator[Finding]:
    """Colour of a former background that soft pixels still carry."""
    reach = head.side
    height, width = picture.shape[:2]
    top, bottom = (int(np.clip(v, 0, height)) for v in (head.y - reach, head.y + head.h + reach))
    left, right = (int(np.clip(v, 0, width)) for v in (head.x - reach, head.x + head.w + reach))
    part = picture[top:bottom, left:right]
    # Drawn outlines are dark at any alpha; they too darken somewhat towards the rim: hence two thresholds.
    for colour, value, most in (("light", 1.0, 0.5), ("dark", 0.0, 0.7)):
        if _matte(part, value) > most:
            was = "white" if value else "black"
            yield Finding(
                "warning" if value else "hint",
                f"the edge carries a {colour} fringe, as if cut out from a {was} background",
                f"remove the {was} matte in a paint program (defringe, or colour to alpha) and save it again",
            )


def _matte(picture: Picture, matte: float) -> float:
    """How far the soft pixels are mixed with a matte of that value: 0 not at all, 1 wholly.

    A soft pixel cut out carelessly has the colour F + (1 - alpha) (M - F): the figure's F, the matte's M,
    all encoded. F is taken from the nearest solid pixel. What is constant over alpha is the drawing's own
    outline, and is fitted beside it.
    """
    alpha = picture[..., 3]
    solid = cv2.erode((alpha > 0.99).astype(np.uint8), np.ones((3, 3), np.uint8))
    if not solid.any():
        return 0.0
    distance, labels = cv2.distanceTransformWithLabels(
        1 - solid, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    soft = (alpha > 0.1) & (alpha < 0.9) & (distance < 6)
    if soft.sum() < 64:
        return 0.0
    nearest = np.zeros((int(labels.max()) + 1, 3), np.float32)
    nearest[labels[solid > 0]] = picture[solid > 0][:, :3]
    figure = linear_to_srgb(nearest[labels[soft]])
    colour = linear_to_srgb(picture[soft][:, :3] / alpha[soft][:, None])
    to_matte = matte - figure
    mixed = (1 - alpha[soft][:, None]) * to_matte
    if float(np.mean(to_matte**2)) < 0.01:
        return 0.0  # the figure itself has the matte's colour: no fringe would show
    fit = np.linalg.lstsq(np.stack([mixed.ravel(), to_matte.ravel()], 1), (colour - figure).ravel(), None)
    return float(fit[0][0])


def _face(file: PictureFile, line: str, head: HeadBox) -> Iterator[Finding]:
    blank = [name for name, box in _EYES.items() if _contrast(file.pixels, head, box) < _EYE_CONTRAST]
    look = "look whether hair, a hand or a shadow hides it, and whether the head box is right"
    if blank:
        eyes = "no eyes" if len(blank) == 2 else f"no eye on the picture's {blank[0]}"
        yield Finding(
            "hint",
            f"{eyes} can be made out in the face: there is hardly any contrast",
            f"{look}: {line}",
        )
    if _contrast(file.pixels, head, _MOUTH) < _MOUTH_CONTRAST:
        yield Finding(
            "hint",
            "no mouth can be made out in the face: there is hardly any contrast",
            f"{look}: {line}",
        )


def _contrast(picture: Picture, head: HeadBox, box: tuple[float, float, float, float]) -> float:
    """Range of the encoded luminance in a part of the head box; 1 where that lies outside the picture."""
    xs = np.clip(np.rint(head.x + head.w * np.array(box[::2])), 0, picture.shape[1]).astype(int)
    ys = np.clip(np.rint(head.y + head.h * np.array(box[1::2])), 0, picture.shape[0]).astype(int)
    part: npt.NDArray[np.float32] = picture[ys[0] : ys[1], xs[0] : xs[1], :3]
    if part.size == 0:
        return 1.0
    encoded = linear_to_srgb(part @ np.array([0.2126, 0.7152, 0.0722], np.float32))
    low, high = np.percentile(encoded, [2, 98])
    return float(high - low)
