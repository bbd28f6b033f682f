# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks of every published form with weights drawn by chance: what they compute costs the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import nn

from keywarp.core.models.tha.parts.files import network_files
from keywarp.core.models.tha.parts.learner import made
from keywarp.core.models.tha.student_files import BODY_FILE, FACE_FILE
from keywarp.core.models.tha.student_torch import BodyRotator, FaceMorpher
from keywarp.core.models.tha.teacher_layout import FORMS


def specimens() -> Iterator[tuple[str, Mapping[str, bytes]]]:
    """(form, files of its folder by name)."""
    for form in FORMS:
        yield form.name, _files({network: made(form, network) for network in form.networks})
    student = {FACE_FILE: FaceMorpher(), BODY_FILE: BodyRotator()}
    yield "THA4 student", _files({file.removesuffix(".pt"): network for file, network in student.items()})


def _files(networks: Mapping[str, nn.Module]) -> dict[str, bytes]:
    return network_files(
        {
            f"{network}.{name}": value.numpy()
            for network, module in networks.items()
            for name, value in module.state_dict().items()
        }
    )
