# SPDX-License-Identifier: GPL-3.0-or-later
"""What is examined: a model that animates any picture, or a student of one character."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from keywarp.core.character import Character
from keywarp.core.color import from_srgb8
from keywarp.core.framing import Framing
from keywarp.core.heldout.subjects import (
    HELD_OUT,
    Opened,
    Subject,
    figure_key,
    framing_of,
    generated_subject,
    named_subject,
    photograph_side,
    posable,
    style_of,
)
from keywarp.core.models.base import DrivenSource, ModelInfo
from keywarp.core.models.registry import find_model
from keywarp.core.models.tha.distill.aim import aimed
from keywarp.core.models.tha.distill.poses import poses
from keywarp.core.picture import read_picture
from keywarp.core.render.performer import Performer
from keywarp.core.resample import square_picture
from keywarp.core.studio.actor import Actor
from keywarp.core.studio.camera import FRAMINGS
from keywarp.core.studio.dataset import Character as Figure
from keywarp.core.studio.palette import STYLES
from keywarp.core.studio.sampling import Draw, scheme
from keywarp.keyframes.errors import KeywarpError

STUDENT = "student"
"""Where the camera stands for students, among the framings."""
UNSEEN_SEED = 7_654_321
"""Of the poses that a student is asked for: no distillation learns from these, whose seeds are small."""
UNSEEN = 100
_ALIKE = 0.02
"""Mean difference up to which a photograph is the picture of a student."""


#: A 3D character before a camera.
View = Callable[[Figure], Actor]


def _views() -> dict[str, View]:
    """Where cameras stand: as for students, and as ``keywarp bake`` has them, by the name of the framing."""

    def framed(framing: str) -> View:
        return lambda figure: Actor(figure.figure, figure.annotation, framing)

    return {STUDENT: aimed, **{framing: framed(framing) for framing in FRAMINGS}}


class Exam(Protocol):
    """Something that is posed, and those whose photographs say how it should look."""

    @property
    def info(self) -> ModelInfo: ...

    def subjects(self) -> Iterator[Subject]: ...

    def performer(self, subject: Subject, rest: Path) -> Performer:
        """The model, ready to pose the subject, of whom ``rest`` is the rest picture at any size."""
        ...


@dataclass(frozen=True)
class AnimatorExam:
    """A model, on pictures of characters that it has never seen."""

    model: str | Path
    info: ModelInfo
    device: str
    count: int
    """Of the generated characters ``HELD_OUT``."""
    named: Sequence[Opened] = ()
    """Characters besides."""

    @classmethod
    def of(cls, model: str | Path, device: str, count: int, named: Sequence[Opened] = ()) -> AnimatorExam:
        """Raises ``KeywarpError`` for a model that cannot be posed, or only animates a picture of its own."""
        source = find_model(model)
        if isinstance(source, DrivenSource):
            raise KeywarpError(
                f"{model} takes its motion from a video; the suite poses channels, which it has not"
            )
        if source.info.picture is not None:
            raise KeywarpError(
                f"{model} animates one picture; name its character, and with --character the 3D character that "
                "it was made from"
            )
        photograph_side(source.info.side)
        if not count and not named:
            raise KeywarpError("no character is left to look at; give --characters above 0, or --character")
        return cls(model, source.info, device, min(count, len(HELD_OUT)), named)

    def subjects(self) -> Iterator[Subject]:
        place = posable(self.info.space), framing_of(self.info.head)
        for number in range(self.count):
            yield generated_subject(HELD_OUT[number], *place, style_of(number))
        for number, opened in enumerate(self.named, 1):
            yield named_subject(opened, *place, style_of(number))

    def performer(self, subject: Subject, rest: Path) -> Performer:
        side = read_picture(rest).width
        whole = Framing.of_square(0, 0, side)
        return Performer(Character(subject.name, rest, self.model, rest.parent, framing=whole), self.device)


@dataclass(frozen=True)
class StudentExam:
    """A student, or a baked character, beside the 3D character that it was made from."""

    info: ModelInfo
    student: Performer
    subject: Subject

    @classmethod
    def of(cls, student: Character, opened: Opened, device: str, count: int) -> StudentExam:
        """Raises ``KeywarpError`` where the picture of the student is none of this 3D character."""
        performer = Performer(student, device)
        info, rest = performer.model, scheme("tha45").rest()
        figure = opened(info.side)
        own = square_picture(performer.artwork.picture, performer.artwork.framing, info.side)

        def unlike(view: View, style: str) -> float:
            shown = from_srgb8(view(figure).studio(info.side, style).rest)
            return float(np.abs(shown - own).mean())

        views = _views()
        off, framing, style = min(
            (unlike(view, style), framing, style) for framing, view in views.items() for style in STYLES
        )
        if off > _ALIKE:
            raise KeywarpError(
                f"{student.name} does not look like {figure.identity} in any style; name with --character the 3D "
                "character that it was made from"
            )
        subject = Subject(
            student.name,
            "student",
            style,
            info.space,
            rest,
            [Draw(np.asarray(pose, np.float64), "unseen") for pose in poses(UNSEEN_SEED, count)],
            figure_key(figure, framing),
            student.licence,
            lambda side: views[framing](opened(side)),
        )
        return cls(info, performer, subject)

    def subjects(self) -> Iterator[Subject]:
        yield self.subject

    def performer(self, subject: Subject, rest: Path) -> Performer:
        return self.student
