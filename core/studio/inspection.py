# SPDX-License-Identifier: GPL-3.0-or-later
"""Individual inspection: every morph beside the neutral face, as a contact sheet and as a page to correct the
annotation on (papers/animeceleb, section 2.1 and Fig. 2, C)."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from keywarp.core.opencv import cv2
from keywarp.core.render import lettering
from keywarp.core.studio.actor import Actor, Pose
from keywarp.core.studio.annotate import CHANNELS, Annotation, Part
from keywarp.core.studio.camera import Camera
from keywarp.core.studio.figure import Figure
from keywarp.core.studio.palette import STYLES
from keywarp.core.studio.photograph import Studio

CELL = 160
COLUMNS = 8
_CAPTION, _GAP, _LETTERS = 40, 8, 13
_BEHIND = np.array([204, 212, 222], np.float32)
_ROOM = 1.5
"""Half the side of what is shown, in halves of what the face's features reach over."""
_TURNS = 0.02
"""Mean change of the face's pixels, 0..255, below which a morph shows nothing on it."""

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Look:
    """A morph at its full magnitude, seen from near."""

    number: int
    """Its place in the file, from 1: the sheet shows it beside names that it has no letters for."""
    morph: str
    picture: Pixels
    """(CELL, CELL, 3)."""
    change: float
    """By how much the picture differs from the neutral one, in the mean, 0..255."""
    channels: tuple[str, ...]
    """What it is annotated as."""


def looks(
    figure: Figure, annotation: Annotation, advance: Callable[[int, int], None] = lambda done, of: None
) -> tuple[Pixels, list[Look]]:
    """The neutral face, and every morph that changes it."""
    alone = {f"morph:{name}": (Part(name),) for name in figure.morphs}
    actor = Actor(figure, {**annotation, **alone})
    studio = _close(actor)
    neutral = _opaque(studio.rest)
    found = []
    for done, name in enumerate(figure.morphs):
        picture = _opaque(studio.picture(actor.placed(Pose({f"morph:{name}": 1.0}))))
        change = float(np.abs(picture.astype(np.int16) - neutral).mean())
        channels = tuple(
            channel for channel, parts in annotation.items() if any(part.morph == name for part in parts)
        )
        if change > _TURNS or channels:
            found.append(Look(done + 1, name, picture, change, channels))
        advance(done + 1, len(figure.morphs))
    return neutral, found


def _close(actor: Actor) -> Studio:
    """A studio whose camera sees the face alone, where its features tell where that is."""
    face = actor.regions()["face"]
    rest = actor.placed()
    camera = actor.camera
    if face.any():
        places = rest[0][np.unique(actor.figure.triangles[face])][:, :2]
        low, high = np.percentile(places, 2, axis=0), np.percentile(places, 98, axis=0)
        middle = (low + high) / 2
        half = min(float((high - low).max()) / 2 * _ROOM, camera.half)
        camera = Camera(float(middle[0]), float(middle[1]), camera.z, half)
    return Studio(actor.figure, camera, rest, STYLES["flat"], CELL, actor.regions())


def _opaque(picture: Pixels) -> Pixels:
    alpha = picture[..., 3:].astype(np.float32) / 255
    return np.rint(picture[..., :3] * alpha + _BEHIND * (1 - alpha)).astype(np.uint8)


def contact_sheet(title: str, neutral: Pixels, found: Sequence[Look]) -> Pixels:
    """(H, W, 3): the neutral face first, then the annotated morphs, then the others."""
    order = sorted(found, key=lambda look: not look.channels)
    cells: list[tuple[Pixels, str, tuple[str, ...], bool]] = [(neutral, "neutral", (), True)]
    for look in order:
        name = f"{look.number} {_drawable(look.morph)}"
        cells.append((look.picture, name, look.channels, bool(look.channels)))
    rows = -(-len(cells) // COLUMNS)
    step_x, step_y, top = CELL + _GAP, CELL + _CAPTION + _GAP, 56
    sheet = Image.new("RGB", (_GAP + COLUMNS * step_x, top + rows * step_y), lettering.PAPER)
    draw = ImageDraw.Draw(sheet)
    lettering.write(draw, (_GAP, 36), _drawable(title), 22)
    for i, (picture, name, channels, annotated) in enumerate(cells):
        x, y = _GAP + i % COLUMNS * step_x, top + i // COLUMNS * step_y
        sheet.paste(Image.fromarray(picture), (x, y))
        text, size = lettering.fitted(name, _LETTERS, CELL)
        lettering.write(draw, (x, y + CELL + 15), text, size, lettering.DARK if annotated else lettering.GREY)
        if channels:
            text, size = lettering.fitted(", ".join(_paired(channels)), _LETTERS - 2, CELL)
            lettering.write(draw, (x, y + CELL + 31), text, size, (40, 110, 70))
    return np.asarray(sheet)


def _paired(channels: Sequence[str]) -> list[str]:
    """Channels, a pair by the name that both have."""
    stems = [channel.rsplit("_", 1)[0] for channel in channels]
    return list(
        dict.fromkeys(
            stem if stems.count(stem) == 2 and channel.endswith(("_left", "_right")) else channel
            for channel, stem in zip(channels, stems, strict=True)
        )
    )


def _drawable(name: str) -> str:
    """The name where the font that comes with the drawing library has letters for it."""
    return name if name.isascii() else ""


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>@TITLE@: annotation</title>
<style>
 body { font: 14px/1.4 system-ui, sans-serif; margin: 1.5em; background: #fafafc; color: #20232a }
 main { display: grid; grid-template-columns: repeat(auto-fill, minmax(23em, 1fr)); gap: .8em }
 article { background: #fff; border: 1px solid #d8dbe2; border-radius: 8px; padding: .6em; display: flex; gap: .6em }
 article.on { border-color: #2f7d50; box-shadow: 0 0 0 1px #2f7d50 }
 img { width: 8em; height: 8em; border-radius: 4px } h2 { font-size: 1em; margin: 0 0 .3em; word-break: break-all }
 label { display: block } select { max-width: 13em }
 header { position: sticky; top: 0; background: #fafafc; padding: .5em 0 }
 button { font: inherit; padding: .3em 1em }
</style></head><body>
<header><h1>@TITLE@</h1>
<p>Untick what a morph does not show, and choose what it does. Hold a picture to see the neutral face. Then save, and
put the file beside the character as <code>@FILE@</code>.</p>
<button id="save">Save the annotation</button> <span id="count"></span></header>
<main></main>
<script>
const neutral = "@NEUTRAL@", looks = @LOOKS@, channels = @CHANNELS@, fixed = @FIXED@;
const main = document.querySelector("main");
function row(look, body, part, checked) {
  const label = document.createElement("label"), box = document.createElement("input");
  box.type = "checkbox"; box.checked = checked; box.part = part; box.look = look; box.className = "part";
  label.append(box, " " + part.channel + (part.weight === 1 ? "" : " x " + part.weight)
    + (part.side ? " (" + part.side + " half)" : ""));
  body.querySelector("select").before(label); box.onchange = refresh; return box;
}
for (const look of looks) {
  const card = document.createElement("article"), picture = new Image(), body = document.createElement("div");
  picture.src = look.picture; picture.onpointerdown = () => picture.src = neutral;
  picture.onpointerup = picture.onpointerleave = () => picture.src = look.picture;
  picture.draggable = false;
  const title = document.createElement("h2"); title.textContent = look.number + "  " + look.morph;
  const choice = document.createElement("select");
  choice.append(new Option("also shows ...", ""), ...channels.map(c => new Option(c, c)));
  choice.onchange = () => { if (choice.value) row(look, body, {channel: choice.value, weight: 1, side: null}, true);
    choice.value = ""; refresh(); };
  body.append(title, choice); card.append(picture, body); main.append(card);
  for (const part of look.parts) row(look, body, part, true);
}
function text() {
  const found = {};
  for (const box of document.querySelectorAll(".part:checked"))
    (found[box.part.channel] ??= []).push([box.look.morph, box.part]);
  const lines = ["keywarp_annotation: 1", "licence: " + JSON.stringify(fixed.licence),
    "credit: " + JSON.stringify(fixed.credit), "channels:"];
  for (const channel of channels.filter(c => found[c])) {
    lines.push("  " + channel + ":");
    for (const [morph, part] of found[channel])
      lines.push("    - {morph: " + JSON.stringify(morph) + ", weight: " + part.weight
        + (part.side ? ", side: " + part.side : "") + "}");
  }
  if (lines.length === 4) lines[3] = "channels: {}";
  return lines.join("\\n") + "\\n";
}
function refresh() {
  for (const card of document.querySelectorAll("article"))
    card.classList.toggle("on", card.querySelector(".part:checked") !== null);
  const used = new Set([...document.querySelectorAll(".part:checked")].map(b => b.part.channel));
  document.getElementById("count").textContent = used.size + " of " + channels.length + " channels";
}
document.getElementById("save").onclick = () => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text()], {type: "application/yaml"}));
  link.download = fixed.file; link.click();
};
refresh();
</script></body></html>
"""


def page(
    title: str,
    file: str,
    annotation: Annotation,
    neutral: Pixels,
    found: Sequence[Look],
    licence: str = "",
    credit: str = "",
) -> str:
    """One HTML page, complete in itself, with a check box for everything that the annotation says; it saves the
    corrected annotation as the YAML ``file``."""
    entries = [
        {
            "number": look.number,
            "morph": look.morph,
            "picture": _data(look.picture),
            "parts": [
                {"channel": channel, "weight": part.weight, "side": part.side}
                for channel in look.channels
                for part in annotation[channel]
                if part.morph == look.morph
            ],
        }
        for look in found
    ]
    values: Mapping[str, str] = {
        "@TITLE@": html.escape(title),
        "@FILE@": html.escape(file),
        "@NEUTRAL@": _data(neutral),
        "@CHANNELS@": _script(CHANNELS),
        "@FIXED@": _script({"file": file, "licence": licence, "credit": credit}),
        "@LOOKS@": _script(entries),
    }
    return re.sub("|".join(values), lambda mark: values[mark[0]], _PAGE)


def _script(value: object) -> str:
    """JSON that ends no script, whatever a morph is called."""
    return json.dumps(value, ensure_ascii=True).replace("<", "\\u003c")


def _data(picture: Pixels) -> str:
    _, data = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    return "data:image/png;base64," + base64.b64encode(data.tobytes()).decode()
