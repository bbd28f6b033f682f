# SPDX-License-Identifier: GPL-3.0-or-later
"""Mouth cues of Rhubarb Lip Sync, in each of its TSV, XML and JSON forms.

Facts: the README of Rhubarb Lip Sync, "Output formats" and "Mouth shapes". Its times are in seconds; the
clip has 24 frames a second, Rhubarb's own default, with keys between frames where cues lie there.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from typing import Any
from xml.etree import ElementTree

from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.importers.base import Format, Imported, beginning, text_of
from keywarp.keyframes.importers.mouth_shapes import MAX_CUES, RHUBARB, Cue, clip_of
from keywarp.keyframes.keys import shown

FPS = 24.0
_TSV_LINE = re.compile(r"[ ]*\d+(\.\d+)?\t[A-HX][ ]*(\r?\n|\Z)")


def _seconds(value: object, what: str) -> float:
    try:
        seconds = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        seconds = math.nan
    if not (isinstance(value, (str, int, float)) and math.isfinite(seconds) and seconds >= 0):
        raise KeywarpError(f"{what} must be a number of seconds, not {shown(value)}")
    return seconds


def _cue(start: object, shape: object) -> Cue:
    if not isinstance(shape, str) or shape.strip() not in RHUBARB:
        raise KeywarpError(f"{shown(shape)} is no mouth shape of Rhubarb's: those are A to H and X")
    return Cue(_seconds(start, "the time of a mouth cue") * FPS, RHUBARB[shape.strip()])


def _imported(cues: Iterable[Cue], seconds: float) -> Imported:
    return Imported(clip_of(list(cues), seconds * FPS, FPS, "Rhubarb mouth cues"))


def read_tsv(data: bytes) -> Imported:
    lines = [line for line in text_of(data, "table of mouth cues").splitlines() if line.strip()]
    _limit(len(lines))
    rows = [line.split("\t") for line in lines]
    for number, row in enumerate(rows, 1):
        if len(row) != 2:
            raise KeywarpError(f"line {number} must be a time and a mouth shape, with a tab between")
    cues = [_cue(*row) for row in rows]
    return _imported(cues, max((cue.frame for cue in cues), default=0.0) / FPS)


def read_json(data: bytes) -> Imported:
    text = text_of(data, "JSON file of mouth cues")
    _limit(text.count("{"))
    try:
        content: Any = json.loads(text, parse_int=float)
    except (ValueError, RecursionError):
        raise KeywarpError("this is no whole JSON file") from None
    cues = content.get("mouthCues") if isinstance(content, dict) else None
    if not isinstance(cues, list) or not all(isinstance(cue, dict) for cue in cues):
        raise KeywarpError('it must be a JSON object whose "mouthCues" is a list of objects')
    metadata = content.get("metadata")
    last = cues[-1].get("end", 0.0) if cues else 0.0
    duration = metadata.get("duration", last) if isinstance(metadata, dict) else last
    return _imported(
        (_cue(cue.get("start"), cue.get("value")) for cue in cues), _seconds(duration, "the duration")
    )


def read_xml(data: bytes) -> Imported:
    text = text_of(data, "XML file of mouth cues")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise KeywarpError("its XML defines types or entities, which mouth cues never need and could abuse")
    _limit(text.count("<") // 2)
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError, RecursionError):
        raise KeywarpError("this is no whole XML file") from None
    found = root.findall("./mouthCues/mouthCue")
    last = found[-1].get("end", "0") if found else "0"
    duration = root.findtext("./metadata/duration", last)
    return _imported(
        (_cue(cue.get("start"), cue.text or "") for cue in found), _seconds(duration, "the duration")
    )


def _limit(cues: int) -> None:
    if cues > MAX_CUES + 1000:
        raise KeywarpError(f"it has more than {MAX_CUES} mouth cues")


_MAX_BYTES = 16 * 2**20

TSV = Format(
    "rhubarb-tsv",
    (".tsv", ".txt"),
    "Rhubarb mouth cues (TSV)",
    lambda head: bool(_TSV_LINE.match(beginning(head))),
    read_tsv,
    _MAX_BYTES,
)
XML = Format(
    "rhubarb-xml",
    (".xml",),
    "Rhubarb mouth cues (XML)",
    lambda head: "<rhubarbResult" in beginning(head),
    read_xml,
    _MAX_BYTES,
)
JSON = Format(
    "rhubarb-json",
    (".json",),
    "Rhubarb mouth cues (JSON)",
    lambda head: beginning(head)[:1] == "{" and '"mouthCues"' in beginning(head),
    read_json,
    _MAX_BYTES,
)
