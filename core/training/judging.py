# SPDX-License-Identifier: GPL-3.0-or-later
"""What a learner's answers are worth: scores over a data set, and rows for a sheet."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from keywarp.core.motion import FloatImage
from keywarp.core.training.learner import Learner, Learning, batch_of
from keywarp.core.training.optimizers import weights_of
from keywarp.core.training.sample import REGIONS, Example
from keywarp.core.training.scores import flow_error, scores_of_parts, seen, warping_error
from keywarp.core.training.sheets import Row
from keywarp.core.training.stream import Listed

BATCH = 8
LEAST_PIXELS = 16
"""A region with fewer pixels is not scored."""


@dataclass(frozen=True)
class Judged:
    """One example: the answer's scores, and those of the picture that is left as it is."""

    identity: str
    scores: Mapping[str, float]
    unposed: Mapping[str, float]


@contextlib.contextmanager
def with_weights(learner: Learning, weights: Mapping[str, Tensor]) -> Iterator[None]:
    """The kept networks with other weights for a while; afterwards with their own, exactly."""
    live = weights_of(learner, learner.kept)
    own = {name: value.detach().clone() for name, value in live.items()}
    with torch.no_grad():
        for name, value in live.items():
            value.copy_(weights[name])
    try:
        yield
    finally:
        with torch.no_grad():
            for name, value in live.items():
                value.copy_(own[name])


def answered(learner: Learner, examples: Sequence[Example], device: torch.device) -> list[Row]:
    """The learner's answers to examples, as rows."""
    answer = learner.answer(batch_of(examples).to(device))

    def planes(x: Tensor) -> list[FloatImage]:
        return list(x.float().permute(0, 2, 3, 1).cpu().numpy())

    parts = zip(
        examples,
        *(planes(x) for x in (answer.image, answer.warped, answer.flow, answer.painted)),
        strict=True,
    )
    return [
        Row(e.identity, e.rest, e.posed, image, warped, flow, painted[..., 0])
        for e, image, warped, flow, painted in parts
    ]


def judge(learner: Learner, stream: Listed, device: torch.device) -> Iterator[tuple[Judged, Row]]:
    """Every example of an unshuffled stream once, in order.

    ``PART_psnr`` and so on for each region that is known; ``flow_error`` in pixels where the flow is known.
    ``warping_error`` compares an example with the one before it where both belong to one clip (``about``: ``clip``
    and ``frame``), times 1000.
    """
    before: tuple[str, int, FloatImage, FloatImage] | None = None
    for first in range(0, len(stream), BATCH):
        places = range(first, min(first + BATCH, len(stream)))
        examples = [stream[place] for place in places]
        for place, example, row in zip(places, examples, answered(learner, examples, device), strict=True):
            image, truth = seen(row.image), seen(row.posed)
            scores = _scores(example, image, truth)
            if example.has_flow:
                weight = example.visible * example.posed[..., 3]
                scores["flow_error"] = flow_error(row.flow, example.flow, weight)
            about = stream.stored(place).about
            here = (str(about.get("clip", "")), int(about.get("frame", -1)), image, truth)
            if before and here[0] and here[:2] == (before[0], before[1] + 1):
                scores["warping_error"] = 1000 * warping_error(before[2], image, before[3], truth)
            before = here
            yield Judged(example.identity, scores, _scores(example, seen(example.rest), truth)), row


def _scores(example: Example, image: FloatImage, truth: FloatImage) -> dict[str, float]:
    known = {name: example.regions[..., number] for number, name in enumerate(REGIONS)}
    masks = {name: mask for name, mask in known.items() if float(mask.sum()) >= LEAST_PIXELS}
    parts = scores_of_parts(image, truth, {"": None, **masks})
    return {
        f"{name}_{score}" if name else score: value
        for name, found in parts.items()
        for score, value in found.items()
    }
