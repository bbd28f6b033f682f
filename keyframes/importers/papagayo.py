# SPDX-License-Identifier: GPL-3.0-or-later
"""Mouth cues of Papagayo: its projects (``.pgo``), and the switch data that it and others export (``.dat``).

A ``.dat`` begins with ``MohoSwitch1``; each line is a frame, counted from 1, and a mouth shape. It does not
say how many frames a second there are: 24, the programs' default, is taken and reported. A ``.pgo`` begins
with ``lipsync version 1`` and holds sound, frame rate, length and, indented, the voices with their phrases,
words and shapes, on frames counted from 0. Facts: files of both programs, and their documentation.
"""

from __future__ import annotations

from collections.abc import Iterator

from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.importers.base import Format, Imported, listed, text_of
from keywarp.keyframes.importers.mouth_shapes import MAX_CUES, PRESTON_BLAIR, RHUBARB, Cue, Shape, clip_of
from keywarp.keyframes.keys import shown

FPS = 24.0
_MOHO = b"MohoSwitch1"
_PROJECT = b"lipsync version 1"
_MAX_BYTES = 16 * 2**20
_MAX_FPS = 1000


class _Shapes:
    """Shapes by name; names that are not known count as a mouth slightly open, and are remembered."""

    def __init__(self) -> None:
        self.unknown: dict[str, None] = {}

    def __call__(self, name: str) -> Shape:
        shape = PRESTON_BLAIR.get(name.lower(), RHUBARB.get(name))
        if shape is None:
            self.unknown.setdefault(name)
            return PRESTON_BLAIR["etc"]
        return shape

    @property
    def notes(self) -> list[str]:
        if not self.unknown:
            return []
        return [f"mouth shapes that are not known show the mouth slightly open: {listed(self.unknown)}"]


def _whole(text: str, what: str) -> int:
    digits = text.strip()
    if not (digits.lstrip("-").isdigit() and digits.isascii() and len(digits) <= 9):
        raise KeywarpError(f"{what} must be a whole number of at most 9 digits, not {shown(text)}")
    return int(digits)


def read_switch(data: bytes) -> Imported:
    """Switch data: a frame and a shape a line."""
    lines = [line for line in text_of(data, "file of mouth cues").splitlines()[1:] if line.strip()]
    if len(lines) > MAX_CUES:
        raise KeywarpError(f"it has {len(lines)} mouth cues, but at most {MAX_CUES} are read")
    shapes, cues = _Shapes(), []
    for number, line in enumerate(lines, 2):
        words = line.split()
        if len(words) != 2:
            raise KeywarpError(f"line {number} must be a frame and a mouth shape, not {shown(line)}")
        cues.append(Cue(max(_whole(words[0], f"the frame on line {number}") - 1.0, 0.0), shapes(words[1])))
    clip = clip_of(cues, 0.0, FPS, "Moho switch data")
    notes = [f"the file does not say its frame rate: {FPS:g} frames a second are taken", *shapes.notes]
    return Imported(clip, tuple(notes))


def read_project(data: bytes) -> Imported:
    """A Papagayo project: the shapes of its first voice."""
    lines = iter(text_of(data, "Papagayo project").splitlines()[1:])
    _next(lines)  # the sound's path
    fps = _whole(_next(lines), "the frame rate")
    length = _whole(_next(lines), "the length")
    voices = _whole(_next(lines), "the number of voices")
    if not (1 <= fps <= _MAX_FPS and voices >= 1):
        raise KeywarpError(f"it has {voices} voices at {fps} frames a second, where at least 1 belongs")
    shapes = _Shapes()
    name = _next(lines).strip()
    cues = list(_voice(lines, shapes))
    clip = clip_of(cues, float(max(length - 1, 0)), float(fps), "Papagayo project")
    notes = [f"of {voices} voices the first is taken, {name}"] if voices > 1 else []
    return Imported(clip, (*notes, *shapes.notes))


def _voice(lines: Iterator[str], shapes: _Shapes) -> Iterator[Cue]:
    """The cues of one voice, after its name; a rest follows a word where a pause does."""
    _next(lines)  # the text
    budget = MAX_CUES
    ended = -1
    for _ in range(_whole(_next(lines), "the number of phrases")):
        for _ in range(3):  # the phrase's text, first and last frame
            _next(lines)
        for _ in range(_whole(_next(lines), "the number of words")):
            word = _next(lines).split()
            if len(word) < 4:
                raise KeywarpError("a word of the Papagayo project lacks its frames")
            first, last, count = (_whole(text, "a word's frame") for text in word[-3:])
            if ended >= 0 and first > ended + 1:
                yield Cue(ended + 1.0, PRESTON_BLAIR["rest"])
            for _ in range(count):
                budget -= 1
                phoneme = _next(lines).split()
                if len(phoneme) != 2 or budget < 0:
                    raise KeywarpError("a mouth shape of the Papagayo project lacks its frame or its name")
                yield Cue(float(_whole(phoneme[0], "a shape's frame")), shapes(phoneme[1]))
            ended = last
    if ended >= 0:
        yield Cue(ended + 1.0, PRESTON_BLAIR["rest"])


def _next(lines: Iterator[str]) -> str:
    line = next(lines, None)
    if line is None:
        raise KeywarpError("the Papagayo project is cut short")
    return line


SWITCH = Format(
    "moho",
    (".dat",),
    "Moho or Papagayo switch data",
    lambda head: head.startswith(_MOHO),
    read_switch,
    _MAX_BYTES,
)
PROJECT = Format(
    "papagayo",
    (".pgo",),
    "Papagayo project",
    lambda head: head.startswith(_PROJECT),
    read_project,
    _MAX_BYTES,
)
