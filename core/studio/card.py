# SPDX-License-Identifier: GPL-3.0-or-later
"""What a data set holds: counted from its shards, and written down as its data card."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from keywarp.core.opencv import cv2
from keywarp.core.render import lettering
from keywarp.core.training.shards import Entry, index_of, shard_files
from keywarp.keyframes.errors import KeywarpError

CARD, PICTURE = "README.md", "card.png"
_ROWS, _COLUMNS, _CELL, _GAP, _NAME = 12, 8, 144, 6, 22
_BEHIND = np.array([204, 212, 222], np.float32)


@dataclass(frozen=True)
class Contents:
    """What the shards hold."""

    samples: int
    sides: Counter[int]
    spaces: Counter[str]
    by: Mapping[str, Counter[str]]
    """``style``, ``scheme``, ``group``: how many samples of each."""
    identities: Mapping[str, Counter[str]]
    """Identity to its styles."""
    rights: Mapping[str, tuple[str, str]]
    """Identity to licence and credit."""
    shown: Mapping[str, Sequence[Entry]] = field(repr=False, default_factory=dict)
    """Some samples of some identities."""


def contents(paths: Sequence[Path]) -> Contents:
    """Count what shards hold; raises ``KeywarpError`` where there are none, or one is damaged."""
    by: dict[str, Counter[str]] = {name: Counter() for name in ("style", "scheme", "group")}
    sides: Counter[int] = Counter()
    spaces: Counter[str] = Counter()
    identities: dict[str, Counter[str]] = defaultdict(Counter)
    rights: dict[str, tuple[str, str]] = {}
    entries: dict[str, list[Entry]] = defaultdict(list)
    count = 0
    for path in shard_files(paths):
        for entry in index_of(path):
            facts = _facts(entry)
            who = str(facts.get("identity", ""))
            count += 1
            for name, counter in by.items():
                counter[str(facts.get(name, "unknown"))] += 1
            spaces.update(facts.get("poses", {}).keys())
            sides[_side(entry)] += 1
            identities[who][str(facts.get("style", "unknown"))] += 1
            rights[who] = str(facts.get("licence", "")), str(facts.get("credit", ""))
            entries[who].append(entry)
    if not count:
        raise KeywarpError(f"{', '.join(map(str, paths))}: there are no samples in it")
    chosen = dict(sorted(entries.items())[:: max(len(entries) // _ROWS, 1)][:_ROWS])
    shown = {who: _spread(own) for who, own in chosen.items()}
    return Contents(count, sides, spaces, by, dict(identities), rights, shown)


def _spread(entries: Sequence[Entry]) -> list[Entry]:
    places = np.linspace(0, len(entries) - 1, min(_COLUMNS - 1, len(entries))).round().astype(int)
    return [entries[i] for i in places]


def _facts(entry: Entry) -> dict[str, Any]:
    with entry.shard.open("rb") as file:
        at, size = entry.members.get("json", (0, 0))
        file.seek(at)
        try:
            facts = json.loads(file.read(min(size, 1 << 20)))
        except ValueError:
            raise KeywarpError(f"{entry.shard}: the sample {entry.key} is damaged") from None
    return facts if isinstance(facts, dict) else {}


def _side(entry: Entry) -> int:
    """From the picture's own header."""
    with entry.shard.open("rb") as file:
        file.seek(entry.members.get("posed.png", (0, 0))[0] + 16)
        return int.from_bytes(file.read(4), "big")


def picture(found: Contents) -> npt.NDArray[np.uint8]:
    """(H, W, 3): a row an identity, its rest picture and some of its poses."""
    width = _GAP + _COLUMNS * (_CELL + _GAP)
    sheet = Image.new("RGB", (width, _GAP + len(found.shown) * (_CELL + _GAP + _NAME)), lettering.PAPER)
    draw = ImageDraw.Draw(sheet)
    for row, (who, entries) in enumerate(found.shown.items()):
        y = _GAP + row * (_CELL + _GAP + _NAME)
        text, size = lettering.fitted(who, 14, width - 2 * _GAP)
        lettering.write(draw, (_GAP, y + 15), text, size)
        samples = [entry.read() for entry in entries]
        rest = [samples[0].rest] if samples and samples[0].rest is not None else []
        for column, pixels in enumerate([*rest, *(sample.posed for sample in samples)][:_COLUMNS]):
            sheet.paste(Image.fromarray(_shown(pixels)), (_GAP + column * (_CELL + _GAP), y + _NAME))
    return np.asarray(sheet)


def _shown(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    alpha = pixels[..., 3:].astype(np.float32) / 255
    over = pixels[..., :3] * alpha + _BEHIND * (1 - alpha)
    small = cv2.resize(over, (_CELL, _CELL), interpolation=cv2.INTER_AREA)
    return np.asarray(np.rint(np.clip(small, 0, 255)), np.uint8)


def card(found: Contents, left_out: Mapping[str, str], command: str) -> str:
    """The data card as Markdown. ``left_out``: characters that could not be used, and why."""
    lines = [
        "# Data card",
        "",
        f"{found.samples} photographs of {len(found.identities)} 3D characters with their poses, rest pictures,",
        "true backward flow and its visibility, and masks of face, eyes and mouth; the format is keywarp's",
        "(docs/training.md).",
        "",
        f"Made by `{command}`.",
        "",
        f"![Rest pictures and poses]({PICTURE})",
        "",
        "| | samples |",
        "|---|---|",
        *(f"| {side} x {side} pixels | {count} |" for side, count in sorted(found.sides.items())),
        *(f"| pose space {name} | {count} |" for name, count in sorted(found.spaces.items())),
        *(
            f"| {kind} {name} | {count} |"
            for kind, counter in found.by.items()
            for name, count in sorted(counter.items())
        ),
        "",
        "## Identities and their licences",
        "Pictures of a character are subject to its licence.",
        "",
        "| identity | samples | licence | credit |",
        "|---|---|---|---|",
        *(_identity(who, counter, found.rights[who]) for who, counter in sorted(found.identities.items())),
    ]
    if left_out:
        lines += ["", "## Left out", "", *(f"- {name}: {why}" for name, why in sorted(left_out.items()))]
    return "\n".join(lines) + "\n"


def _identity(who: str, styles: Counter[str], rights: tuple[str, str]) -> str:
    licence, credit = (text.replace("|", "/") or "not stated" for text in rights)
    return f"| {who} | {styles.total()} | {licence} | {credit} |"
