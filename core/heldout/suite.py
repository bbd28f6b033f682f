# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole examination, and what it comes to."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from keywarp.core.heldout.exams import Exam
from keywarp.core.heldout.photographs import Advance, photographs
from keywarp.core.heldout.subjects import Subject, in_motion, with_count
from keywarp.core.heldout.trial import (
    ANSWER,
    FACE,
    LARGE,
    METHODS,
    STEADY,
    UNPOSED,
    WHOLE,
    Verdict,
    at_full_size,
    at_own_size,
    in_clip,
    parts_of,
)
from keywarp.core.picture import Picture
from keywarp.core.render.provenance import keywarp_version
from keywarp.core.training.scores import means, spread
from keywarp.core.training.sheets import Row

WORST = 10
SHOWN = 8
_LARGE_STEP = 10
"""From the pose in which a subject is photographed large to the next subject's, so that all turns are seen."""

Stage = Callable[[str], AbstractContextManager[Advance]]
"""What a stretch of the work is called, to something that is told how far it is."""


@dataclass(frozen=True)
class Plan:
    """How much is looked at."""

    poses: int
    """Of each subject, at the network's size."""
    large: int
    """Poses in all at ``LARGE``."""
    clips: int
    """Subjects in motion."""


@dataclass(frozen=True)
class Large:
    """What a sheet shows of a pose at full size: the box around the face."""

    caption: str
    crops: Mapping[str, Picture]


@dataclass
class Outcome:
    """Everything that was found."""

    own: list[Verdict] = field(default_factory=list)
    large: list[Verdict] = field(default_factory=list)
    clips: dict[str, dict[str, float]] = field(default_factory=dict)
    """By subject, see ``in_clip``."""
    licences: dict[str, str] = field(default_factory=dict)
    """By subject."""
    shown: list[Row] = field(default_factory=list)
    worst: list[Row] = field(default_factory=list)
    crops: list[Large] = field(default_factory=list)


def examine(exam: Exam, plan: Plan, stage: Stage) -> Outcome:
    """Photograph and judge all subjects of an exam; raises ``KeywarpError`` where one cannot be used."""
    found, worst = Outcome(), _Worst(WORST)
    subjects = list(exam.subjects())
    shown = set(spread(SHOWN, sum(min(plan.poses, len(subject.draws)) for subject in subjects)))
    for place, subject in enumerate(subjects):
        found.licences[subject.name] = subject.licence
        few = with_count(subject, spread(plan.poses, len(subject.draws)))
        with stage(subject.name) as advance:
            taken = photographs(few, exam.info.side, True, advance)
        performer = exam.performer(few, taken.rest)
        for verdict, row in at_own_size(performer, few, taken):
            number = len(found.own)
            found.own.append(verdict)
            worst.add(_face_psnr(verdict), number, row)
            if number in shown:
                found.shown.append(row)
        _large(exam, subject, _large_places(plan, len(subjects), place, len(subject.draws)), found, stage)
        if place in spread(plan.clips, len(subjects)):
            with stage(f"{subject.name} in motion") as advance:
                moving = in_motion(subject)
                steps = photographs(moving, exam.info.side, True, advance)
            found.clips[subject.name] = in_clip(performer, moving, steps)
    found.worst = worst.rows()
    return found


def _large_places(plan: Plan, subjects: int, place: int, poses: int) -> list[int]:
    """Which poses of a subject are photographed large: the plan's, dealt out to the subjects in turn."""
    own = len(range(place, plan.large, subjects))
    return sorted({(each + poses // 2 + _LARGE_STEP * place) % poses for each in spread(own, poses)})


def _large(exam: Exam, subject: Subject, places: Sequence[int], found: Outcome, stage: Stage) -> None:
    if not places:
        return
    chosen = with_count(subject, places)
    with stage(f"{subject.name}, {LARGE}x{LARGE}") as advance:
        small = {entry.key: entry.read() for entry in photographs(chosen, exam.info.side).posed}
        taken = photographs(chosen, LARGE, False, advance)
    performer = exam.performer(chosen, taken.rest)
    for verdict, frames in at_full_size(performer, chosen, taken, small):
        found.large.append(verdict)
        if len(found.crops) < SHOWN:
            sample = small[f"pose-{verdict.number:05d}"]
            found.crops.append(Large(_caption(verdict), _crops(frames, parts_of(sample).get(FACE))))


def _crops(frames: Mapping[str, Picture], box: Any) -> dict[str, Picture]:
    """The square around the box, (n, n) at any size, of every frame."""
    if box is None:
        return dict(frames)
    rows, columns = (np.flatnonzero(box.any(axis)) * LARGE // len(box) for axis in (1, 0))
    half = max(rows[-1] - rows[0], columns[-1] - columns[0]) // 2
    y, x = (int(np.clip((of[0] + of[-1]) // 2, half, LARGE - half)) for of in (rows, columns))
    return {
        name: np.ascontiguousarray(frame[y - half : y + half, x - half : x + half])
        for name, frame in frames.items()
    }


def _caption(verdict: Verdict) -> str:
    figures = ", ".join(f"{name} {scores[WHOLE]['psnr']:.1f}" for name, scores in verdict.scores.items())
    return f"{verdict.subject}, {verdict.style}: dB of the whole frame: {figures}"


def _face_psnr(verdict: Verdict) -> float:
    scores = verdict.scores[ANSWER]
    return scores.get(FACE, scores[WHOLE])["psnr"]


class _Worst:
    """The rows of the lowest scores."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._heap: list[tuple[float, int, Row]] = []

    def add(self, score: float, number: int, row: Row) -> None:
        heapq.heappush(self._heap, (-score, number, row))
        if len(self._heap) > self._count:
            heapq.heappop(self._heap)

    def rows(self) -> list[Row]:
        """The lowest first."""
        return [row for _, _, row in sorted(self._heap, key=lambda each: -each[0])]


# The table


def table(exam: Exam, found: Outcome) -> dict[str, Any]:
    """What was found, as plain values: means over poses, and every pose by itself."""
    info = exam.info
    kinds = list(dict.fromkeys(verdict.kind for verdict in found.own))
    return {
        "suite": "heldout",
        "keywarp": keywarp_version(),
        "model": {
            "name": info.source,
            "form": info.form,
            "space": info.space,
            "side": info.side,
            "parameters": info.parameters,
            "licence": info.licence,
            "content": info.content,
        },
        "subjects": found.licences,
        "own_size": {kind: _judged(v for v in found.own if v.kind == kind) for kind in kinds},
        "by_group": {
            kind: {group: _judged(members) for group, members in _by_group(found.own, kind)} for kind in kinds
        },
        "large": {kind: _judged(v for v in found.large if v.kind == kind) for kind in kinds},
        "clips": {name: _mean_of(found.clips.values(), name) for name in STEADY} if found.clips else {},
        "poses": [
            {
                "subject": v.subject,
                "style": v.style,
                "number": v.number,
                "group": v.group,
                "scores": v.scores,
                "flow": v.flow,
            }
            for v in found.own
        ],
        "worst": [row.caption for row in found.worst],
    }


def _by_group(verdicts: Sequence[Verdict], kind: str) -> Iterator[tuple[str, list[Verdict]]]:
    own = [verdict for verdict in verdicts if verdict.kind == kind]
    for group in sorted({verdict.group for verdict in own}):
        yield group, [verdict for verdict in own if verdict.group == group]


def _judged(verdicts: Iterable[Verdict]) -> dict[str, Any]:
    """How many, and by what was compared the means of every score of every part, and of the flow's error."""
    some = list(verdicts)
    found: dict[str, Any] = {"poses": len(some), "subjects": len({v.subject for v in some})}
    for name in (ANSWER, *METHODS):
        judged = [v.scores[name] for v in some if name in v.scores]
        if judged:
            names = dict.fromkeys(part for scores in judged for part in scores)
            found[name] = {part: means(s[part] for s in judged if part in s) for part in names}
    flows = means(v.flow for v in some)
    return {**found, "flow": flows} if flows else found


def _mean_of(rows: Iterable[Mapping[str, float]], name: str) -> float:
    return float(np.mean([row[name] for row in rows]))


def gain(judged: Mapping[str, Any], name: str, part: str, against: str = UNPOSED) -> float:
    """By how many dB one of what was compared is better than another."""
    return float(judged[name][part]["psnr"] - judged[against][part]["psnr"])
