# SPDX-License-Identifier: GPL-3.0-or-later
"""The teacher that a person names: a 3D character, or a picture with a model of any family."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from keywarp.core.character import load_character
from keywarp.core.models.tha import student_layout as layout
from keywarp.core.models.tha.distill.teacher import Subject, Teacher
from keywarp.core.models.tha.student_files import StudentSource
from keywarp.core.models.tha.teacher_files import TeacherSource
from keywarp.core.picture import Picture
from keywarp.core.render.performer import Artwork, load_artwork
from keywarp.core.resample import square_picture
from keywarp.core.runtime.session import choose_device
from keywarp.core.studio.dataset import Character as Figure3D
from keywarp.core.studio.dataset import open_character
from keywarp.core.studio.generator.source import WORD, generated_character, seeds
from keywarp.core.studio.load import KINDS
from keywarp.keyframes.errors import KeywarpError

MAX_HD_SIDE = 4096
HD_SIDE = 2048
"""Of the large photograph of a 3D character."""
_LARGER = 1.25
"""By how much the picture's own square exceeds the student's, for its detail to be kept beside it."""


def is_figure(character: str) -> bool:
    """Whether this names a 3D character: a file of one, or a generated one."""
    return character.startswith(WORD) or Path(character).suffix.lower() in KINDS


def open_teacher(
    character: str, model: str | None, style: str, exporter: Sequence[str | Path] | None = None
) -> Teacher:
    """``model``: weights of any family; ``None``: the character's own, or the truth where it is a 3D character, in
    a ``style`` of the studio, opened by ``exporter`` (see ``load_figure``). Raises ``KeywarpError``."""
    if is_figure(character):
        if model is not None:
            raise KeywarpError(
                f"{character} is a 3D character, which is its own teacher; leave --teacher out"
            )
        from keywarp.core.models.tha.distill.figure_teacher import FigureTeacher

        return FigureTeacher(_figure(character, exporter), style, HD_SIDE)
    who = load_character(character, model)
    source = who.find_model()
    art = load_artwork(who, source.info)
    square = square_picture(art.picture, art.framing, layout.SIDE)
    subject = Subject(who.name, square, _hd(art), who.defaults, who.licence, who.credit or source.info.credit)
    if isinstance(source, StudentSource):
        from keywarp.core.models.tha.distill.network_teachers import AnotherStudent

        return AnotherStudent(source, subject)
    if isinstance(source, TeacherSource) and source.form.side == layout.SIDE:
        from keywarp.core.models.tha.distill.network_teachers import FiveNetworks

        return FiveNetworks(source, subject)
    from keywarp.core.models.tha.distill.animator_teacher import AnimatorTeacher

    return AnimatorTeacher(source.open(choose_device("auto")), subject)


def _figure(character: str, exporter: Sequence[str | Path] | None) -> Figure3D:
    if not character.startswith(WORD):
        return open_character(Path(character), exporter)
    wanted = seeds(character)
    if len(wanted) > 1:
        raise KeywarpError(f"{character} are {len(wanted)} characters; a student knows one")
    return generated_character(wanted[0], HD_SIDE)


def _hd(art: Artwork) -> Picture | None:
    side = min(round(art.canvas_framing.side), MAX_HD_SIDE)
    return None if side < _LARGER * layout.SIDE else square_picture(art.canvas, art.canvas_framing, side)
