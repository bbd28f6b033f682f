# SPDX-License-Identifier: GPL-3.0-or-later
"""What a checkpoint looks like that is not quite any of Talking Head Anime's networks, for errors that name it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from keywarp.core.models.checkpoint import Array, Checkpoint
from keywarp.core.models.tha import student_layout
from keywarp.core.models.tha.teacher_layout import FORMS, WIDTH, network_shapes, width_of
from keywarp.core.models.weights import Shape, fault_in

ENOUGH = 0.5
"""Share of a network's tensors that must be there by name for a checkpoint to look like it."""
STUDENT = {
    "face morpher": student_layout.face_morpher_shapes(),
    "body rotator": student_layout.body_rotator_shapes(),
}


@dataclass(frozen=True)
class Likeness:
    """The network that a checkpoint is, or was once."""

    words: str
    """With its article, as "a THA3 separable editor"."""
    fault: str | None
    """What keeps it from being that network; ``None``: nothing."""


def is_tensor(name: str) -> bool:
    """Whether an entry of a checkpoint may be one of these networks' tensors; other systems nest theirs."""
    return "." in name


def tensors_in(state: Checkpoint) -> dict[str, Array]:
    """What of a checkpoint's top level are tensors."""
    return {name: value for name, value in state.items() if isinstance(value, np.ndarray)}


def likeness(state: Checkpoint) -> Likeness | None:
    """The network with the most tensors in common, by name and shape; ``None`` for another system's weights."""
    tensors = tensors_in(state)
    found = {name: value.shape for name, value in tensors.items()}
    best, most = None, (0, 0)
    for words, layout in _layouts(found):
        common = layout.keys() & found.keys()
        alike = sum(layout[name] == found[name] for name in common)
        if len(common) >= ENOUGH * len(layout) and (alike, -len(layout)) > most:
            best, most = (words, layout), (alike, -len(layout))
    if best is None:
        return None
    return Likeness(best[0], fault_in(tensors, best[1]))


def described(form: str, network: str, width: int) -> str:
    """A network in words; a published width needs none."""
    narrow = "" if width == WIDTH else f" of width {width}"
    return f"a {form} {network.replace('_', ' ')}{narrow}"


def _layouts(found: dict[str, Shape]) -> Iterator[tuple[str, dict[str, Shape]]]:
    for form in FORMS:
        sized = replace(form, width=width_of(found))
        for network in form.networks:
            yield described(form.name, network, sized.width), network_shapes(sized, network)
    for kind, layout in STUDENT.items():
        yield f"a THA4 student's {kind}", layout
