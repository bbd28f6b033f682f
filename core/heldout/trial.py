# SPDX-License-Identifier: GPL-3.0-or-later
"""A model's answers beside photographs: at its own size, at full size after ResWarp, and in motion."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from keywarp.core.color import from_srgb8
from keywarp.core.heldout.photographs import Photographs
from keywarp.core.heldout.subjects import Subject
from keywarp.core.models.base import ModelInfo
from keywarp.core.motion import FloatImage, Motion
from keywarp.core.opencv import cv2
from keywarp.core.picture import Picture, read_picture
from keywarp.core.render.performer import Performer
from keywarp.core.render.stage import Stage
from keywarp.core.resample import hold, inverse, place_picture, then, warp_by_flow
from keywarp.core.reswarp import ResWarp
from keywarp.core.training.sample import Sample
from keywarp.core.training.scores import flow_error, scores_of_parts, seen, warping_error
from keywarp.core.training.sheets import Row
from keywarp.keyframes.channels import Poses
from keywarp.keyframes.mappings import convert

LARGE = 2160
WHOLE, FACE = "whole frame", "face crop"
PARTS = (WHOLE, FACE, "eyes", "mouth")
ANSWER, UNPOSED = "answer", "unposed picture"
RESWARP, BICUBIC, VANILLA, UNGATED = "ResWarp", "bicubic", "vanilla ResWarp", "without the painted gate"
METHODS = (RESWARP, BICUBIC, VANILLA, UNGATED, UNPOSED)
"""What takes a motion to full size; ``UNPOSED``: nothing moves."""
STEADY = (ANSWER, UNPOSED, "truth")
_LEAST_PIXELS = 16
"""A part of fewer pixels is not scored."""

Scores = Mapping[str, Mapping[str, float]]
"""By part, the scores by their names."""


@dataclass(frozen=True)
class Verdict:
    """One pose of one subject."""

    subject: str
    kind: str
    style: str
    number: int
    group: str
    scores: Mapping[str, Scores]
    """By what was compared."""
    flow: Mapping[str, float]
    """By what was compared, the flow's end-point error in pixels; empty where it is not known."""


def parts_of(sample: Sample) -> dict[str, FloatImage | None]:
    """Where to look, by ``PARTS``: everything, the box around the face, what the features' morphs move."""
    found: dict[str, FloatImage | None] = {WHOLE: None}
    face = sample.regions.get("face")
    if face is not None and (face > 0.5).any():
        rows, columns = (np.flatnonzero((face > 0.5).any(axis)) for axis in (1, 0))
        box = np.zeros_like(face)
        box[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = 1
        found[FACE] = box
    for name in PARTS[2:]:
        mask = sample.regions.get(name)
        if mask is not None and mask.sum() >= _LEAST_PIXELS:
            found[name] = mask
    return found


def posed_as(info: ModelInfo, subject: Subject, sample: Sample) -> Poses:
    """The sample's pose in the model's space."""
    return convert(sample.poses[subject.space], subject.space, info.space)


def at_own_size(performer: Performer, subject: Subject, taken: Photographs) -> Iterator[tuple[Verdict, Row]]:
    """Every pose at the network's size."""
    rest = read_picture(taken.rest).pixels
    still = seen(rest)
    for number, entry in enumerate(taken.posed):
        sample = entry.read()
        motion = performer.motion(posed_as(performer.model, subject, sample))
        posed, parts = from_srgb8(sample.posed), parts_of(sample)
        truth = seen(posed)
        scores = {
            ANSWER: scores_of_parts(seen(motion.image), truth, parts),
            UNPOSED: scores_of_parts(still, truth, parts),
        }
        flow = {}
        if sample.flow is not None and sample.visible is not None:
            weight = sample.visible * posed[..., 3]
            shown = {ANSWER: motion.flow, UNPOSED: np.zeros_like(motion.flow)}
            flow = {name: flow_error(field, sample.flow, weight) for name, field in shown.items()}
        verdict = _verdict(subject, number, sample, scores, flow)
        yield verdict, _row(verdict, rest, posed, motion)


def at_full_size(
    performer: Performer, subject: Subject, taken: Photographs, small: Mapping[str, Sample]
) -> Iterator[tuple[Verdict, Mapping[str, Picture]]]:
    """Every pose at ``LARGE``, by all ``METHODS``; with each the frames, and the truth as ``truth``.

    ``small``: by key, samples of the same poses with regions, at any size.
    """
    size = (LARGE, LARGE)
    stage = Stage(performer, size=size)
    plain = _bare_reswarps(stage)
    rest = read_picture(taken.rest).pixels
    for number, entry in enumerate(taken.posed):
        sample = entry.read()
        motion = performer.motion(posed_as(performer.model, subject, sample))
        truth = from_srgb8(sample.posed)
        masks = {
            name: None if mask is None else np.asarray(cv2.resize(mask, size), np.float32)
            for name, mask in parts_of(small[sample.key]).items()
        }
        bicubic = hold(np.asarray(cv2.resize(motion.image, size, interpolation=cv2.INTER_CUBIC)))
        frames: dict[str, Picture] = {RESWARP: stage.reswarp.frame(motion), BICUBIC: bicubic}
        frames |= {name: reswarp.frame(motion) for name, reswarp in plain.items()}
        frames[UNPOSED] = rest
        clean = seen(truth)
        scores = {name: scores_of_parts(seen(frame), clean, masks) for name, frame in frames.items()}
        yield _verdict(subject, number, sample, scores, {}), {**frames, "truth": truth}


def _bare_reswarps(stage: Stage) -> Mapping[str, ResWarp]:
    """ResWarp as the stage has it, each with one of its parts left out."""
    art, view, performer = stage.artwork, stage.view, stage.performer
    still = place_picture(art.canvas, view.canvas_to_frame, view.width, view.height)
    square = then(inverse(art.canvas_framing.matrix()), view.canvas_to_frame)

    def made(multiscale: bool, gate: bool) -> ResWarp:
        return ResWarp(
            still,
            square,
            performer.rest,
            canvas=view.canvas,
            multiscale=multiscale,
            gate=gate,
            weight=performer.edge_weight,
        )

    return {VANILLA: made(False, True), UNGATED: made(True, False)}


def in_clip(performer: Performer, subject: Subject, taken: Photographs) -> dict[str, float]:
    """The warping error, times 1000, from frame to frame of a clip: of the answer, of the picture left as it is, and
    of the truth itself, which has one since the optical flow that measures it is none too exact."""
    still = seen(read_picture(taken.rest).pixels)
    before: dict[str, FloatImage] | None = None
    found: dict[str, list[float]] = {name: [] for name in STEADY}
    for entry in taken.posed:
        sample = entry.read()
        motion = performer.motion(posed_as(performer.model, subject, sample))
        now = {ANSWER: seen(motion.image), UNPOSED: still, "truth": seen(from_srgb8(sample.posed))}
        if before is not None:
            for name in STEADY:
                error = warping_error(before[name], now[name], before["truth"], now["truth"])
                found[name].append(1000 * error)
        before = now
    return {name: float(np.mean(values)) for name, values in found.items() if values}


def _verdict(
    subject: Subject, number: int, sample: Sample, scores: Mapping[str, Scores], flow: Mapping[str, float]
) -> Verdict:
    group = str(sample.about.get("group", ""))
    return Verdict(subject.name, subject.kind, subject.style, number, group, scores, flow)


def _row(verdict: Verdict, rest: Picture, posed: Picture, motion: Motion) -> Row:
    figures = [f"{verdict.scores[name][WHOLE]['psnr']:.1f} dB {name}" for name in (ANSWER, UNPOSED)]
    if FACE in verdict.scores[ANSWER]:
        figures += [f"face {verdict.scores[ANSWER][FACE]['psnr']:.1f} dB"]
    if ANSWER in verdict.flow:
        figures += [f"flow off by {verdict.flow[ANSWER]:.1f} px"]
    caption = f"{verdict.subject}, {verdict.style}, pose {verdict.number + 1}: {', '.join(figures)}"
    moved = warp_by_flow(rest, motion.flow)
    return Row(caption, rest, posed, motion.image, moved, motion.flow, motion.painted[..., 0])
