# SPDX-License-Identifier: GPL-3.0-or-later
"""A 3D character as a picture with its layers: nothing is learnt, everything is known."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from keywarp.core.layered_file import MAX_LAYERS, MAX_SIDE, layered_bytes
from keywarp.core.models.exported import CARD_FILE, Card
from keywarp.core.models.ldi.files import FAMILY_NAME, FINER, LAYERS_FILE, PICTURE_FILE
from keywarp.core.render.sinks.png import encode_png
from keywarp.core.studio.actor import Actor, Pose
from keywarp.core.studio.camera import HEADS, MIN_SIDE
from keywarp.core.studio.camera import MAX_SIDE as MAX_PICTURE
from keywarp.core.studio.dataset import Character
from keywarp.core.studio.layers import Peeler, vertex_fields
from keywarp.core.studio.revealed import REVEALING, revealed
from keywarp.keyframes.errors import KeywarpError

CHARACTER_FILE = "character.yaml"
SPACE = "tha45"
CLOSED = {"mouth_aaa": 0.0}
"""3D characters rest with their mouths closed."""
MAX_SURFACES = MAX_LAYERS - len(REVEALING)
#: A 3D character, as finely painted as pictures of so many pixels need.
Opened = Callable[[int], Character]


@dataclass(frozen=True)
class Order:
    """How a character is to be baked."""

    style: str = "outline"
    framing: str = "bust"
    side: int = 512
    """Pixels along a side of the layers: how finely motion is known."""
    picture: int = 4096
    """Pixels along a side of the picture: how fine its detail is."""
    layers: int = 3
    """Surfaces behind each other; those that poses reveal come on top."""

    def __post_init__(self) -> None:
        if not MIN_SIDE <= self.side <= MAX_SIDE:
            raise KeywarpError(f"layers are {MIN_SIDE} to {MAX_SIDE} pixels wide, not {self.side}")
        if not self.side <= self.picture <= MAX_PICTURE:
            raise KeywarpError(
                f"the picture is {self.side} (as its layers) to {MAX_PICTURE} pixels wide, not {self.picture}"
            )
        if not 2 <= self.layers <= MAX_SURFACES:
            raise KeywarpError(f"a picture has 2 to {MAX_SURFACES} layers, not {self.layers}")


def bake(opened: Opened, out: Path, order: Order) -> Card:
    """Write the folder of a character: its picture, its layers, its card and a character file.

    Raises ``KeywarpError`` where the character cannot be used, or ``out`` holds something else.
    """
    if out.exists() and not (out.is_dir() and (not any(out.iterdir()) or (out / LAYERS_FILE).is_file())):
        raise KeywarpError(f"{out} is there already, and is no baked character; give another name")
    character = opened(order.side)
    actor = Actor(character.figure, character.annotation, order.framing)
    studio = actor.studio(order.side, order.style, Pose())
    if not studio.rest[..., 3].any():
        raise KeywarpError(f"{character.figure.name}: the picture would show nothing")
    finer, fields = min(FINER * order.side, MAX_PICTURE), vertex_fields(actor, Pose())
    peeled = Peeler(actor, studio, fields, actor.studio(finer, order.style, Pose())).layered(order.layers)
    first = peeled.layers[0]
    new = (revealed(actor, order.style, fields, first, finer, pose) for pose in REVEALING)
    layered = replace(peeled, layers=(*peeled.layers, *new))
    head = HEADS[order.framing]
    card = Card(
        family=FAMILY_NAME,
        form=f"layers of a 3D character, {len(layered.layers)} of {order.side}x{order.side}",
        space=SPACE,
        side=order.side,
        parameters=sum(layer.fields.size for layer in layered.layers),
        licence=character.licence,
        credit=character.credit,
        trained={"character": character.identity, "style": order.style, "framing": order.framing},
        head=[head.cx, head.cy, head.side],
        rest=CLOSED,
    )
    large = opened(order.picture)
    picture = (
        Actor(large.figure, large.annotation, order.framing).studio(order.picture, order.style, Pose()).rest
    )
    said = {
        "keywarp": 1,
        "picture": PICTURE_FILE,
        "model": ".",
        "licence": character.licence,
        "credit": character.credit,
    }
    _place(
        out,
        {
            LAYERS_FILE: layered_bytes(layered),
            PICTURE_FILE: encode_png(picture, {}),
            CARD_FILE: card.text().encode(),
            CHARACTER_FILE: yaml.safe_dump({k: v for k, v in said.items() if v}, sort_keys=False).encode(),
        },
    )
    return card


def _place(out: Path, files: dict[str, bytes]) -> None:
    """The folder as a whole under its name; what else is in it stays."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as unfinished:
        for name, content in files.items():
            (Path(unfinished) / name).write_bytes(content)
        out.mkdir(exist_ok=True)
        for name in files:
            shutil.move(str(Path(unfinished) / name), str(out / name))
