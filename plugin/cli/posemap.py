# SPDX-License-Identifier: GPL-3.0-or-later
"""``keywarp posemap``: AniMo's pose mapping, fitted to somebody's morphable model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from keywarp.keyframes.errors import KeywarpError
from keywarp.plugin.cli import arguments as args
from keywarp.plugin.cli.terminal import say


def posemap(
    face: Annotated[
        Path,
        typer.Argument(
            metavar="FACE", help="A .npz: mean (68, D) and basis (64, 68, D) of a face's landmarks."
        ),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="OUT", help="A .npy file, (17, 64).")],
) -> None:
    """Fit AniMo's pose mapping to the expressions of a 3D morphable model."""
    if out.suffix.lower() != ".npy" or out.is_dir():
        raise KeywarpError(f"{out}: the pose mapping is written as .npy")

    import numpy as np

    from keywarp.core.models.animo.fitting import fitted_matrix, read_face
    from keywarp.core.render.sinks.base import replacing

    args.check_output(out, face)
    matrix = fitted_matrix(read_face(face))
    with replacing(out) as temporary, temporary.open("wb") as file:
        np.save(file, matrix)
    say(f"{out}: put it beside an AniMo checkpoint as pose_mapping.npy")
