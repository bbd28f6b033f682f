# SPDX-License-Identifier: GPL-3.0-or-later
"""Clip files: one JSON object, one key a line, numbers that read back exactly.

``{"keywarp_clip": 1, "space", "fps", "start", "end", "title", "author", "licence", "credit",
"source", "markers": [{"frame", "name"}], "curves": {channel: curve}}``. ``fps`` may also be a
fraction as text, ``"24000/1001"``. A curve has ``extrapolation``, ``auto_smoothing`` and ``cycles``
where they are not the defaults, and either ``keys``, objects with ``frame``, ``value`` and what is
not the default of a ``Key``; or, where the keys are plain, ``interpolation`` and ``points``, rows
of frame and value. Fields that are not known are kept.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from fractions import Fraction
from pathlib import Path
from typing import Any, Callable, NoReturn

import numpy as np

from keywarp.keyframes.clip import METADATA, Clip, FilePath, Marker
from keywarp.keyframes.curve import Curve
from keywarp.keyframes.cycles import Cycles
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.keys import DEFAULT_KEY, MAX_KEYS, Key, shown

VERSION = 1
MAX_BYTES = 256 * 2**20
MAX_DIGITS = 1000
_RATE = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?(?:/[0-9]{1,9})?")

#: Of the file as a whole; what else it has is kept.
FIELDS = ("keywarp_clip", "space", "fps", "start", "end", *METADATA, "markers", "curves")

_HEADER = ("space", "fps", "start", "end", *METADATA)
_KEY_FIELDS = tuple(f.name for f in fields(Key) if f.name != "extra")
_MARKER_FIELDS = ("frame", "name")
_CYCLES_FIELDS = tuple(f.name for f in fields(Cycles))
_CURVE_FIELDS = ("extrapolation", "auto_smoothing", "cycles", "keys", "interpolation", "points")
_DEFAULT_CURVE = Curve([DEFAULT_KEY])


def load(path: FilePath) -> Clip:
    """Read a clip file; raises ``KeywarpError`` that names the file and the fault."""
    try:
        return parse(_content(Path(path)))
    except KeywarpError as error:
        raise KeywarpError(f"{os.fspath(path)}: {error}") from None


def parse(data: bytes) -> Clip:
    """The clip in a clip file's bytes; raises ``KeywarpError`` that does not name the file."""
    return _clip(_parsed(data))


def save(clip: Clip, path: FilePath) -> None:
    """Write a clip file, whole or not at all; raises ``KeywarpError`` where that fails."""
    path = Path(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        try:
            with part.open("w", encoding="utf-8", newline="\n") as file:
                file.writelines(_lines(clip))
            if part.stat().st_size > MAX_BYTES:
                raise KeywarpError(
                    f"{path}: the clip would have more than the {MAX_BYTES >> 20} MiB that are read"
                )
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise KeywarpError(f"{path}: the clip cannot be written ({error.strerror or error})") from None


def curves_text(clip: Clip) -> str:
    """The clip's curves as they stand in its file, alone."""
    return "".join(
        line for curve in sorted(clip.curves) for line in (curve, *_curve_lines(clip.curves[curve]))
    )


# Reading


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise KeywarpError(f"the clip cannot be read ({error.strerror or error})") from None


def _parsed(data: bytes) -> dict[str, Any]:
    if len(data) > MAX_BYTES:
        raise KeywarpError(f"a clip file has at most {MAX_BYTES >> 20} MiB")
    if data.count(b",") > 4 * MAX_KEYS:  # before a tree of them fills the memory
        raise KeywarpError(f"a clip has at most {MAX_KEYS:,} keys")
    try:
        content = json.loads(
            data.decode("utf-8-sig"), parse_constant=_no_constant, parse_float=_float, parse_int=_integer
        )
    except (ValueError, RecursionError):
        raise KeywarpError("this is no clip file: it must be JSON text in UTF-8") from None
    if not isinstance(content, dict) or "keywarp_clip" not in content:
        raise KeywarpError('this is no clip file: it must be a JSON object with the field "keywarp_clip"')
    version = content.pop("keywarp_clip")
    if version != VERSION or isinstance(version, bool):
        raise KeywarpError(f"clip files of version {shown(version)} are not known, only version {VERSION}")
    return content


def _no_constant(word: str) -> NoReturn:
    raise KeywarpError(f"numbers must be finite, not {word}")


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:  # the time to read one grows with the square of its length
        raise KeywarpError(f"numbers must have at most {MAX_DIGITS} digits, not {len(digits)}")
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise KeywarpError(f"numbers must be finite, not {shown(digits)}")
    return value


def _clip(content: dict[str, Any]) -> Clip:
    for name in ("space", "fps", "start", "end", "curves"):
        if name not in content:
            raise KeywarpError(f'the clip lacks the field "{name}"')
    header = {name: content.pop(name) for name in _HEADER if name in content}
    header["fps"] = _rate(header["fps"])
    if not isinstance(header["space"], str):
        raise KeywarpError(f"a clip's space must be a name, not {shown(header['space'])}")
    curves = _typed(content.pop("curves"), dict, '"curves" must be an object of curves by channel')
    markers = _typed(content.pop("markers", []), list, '"markers" must be a list')
    return Clip(
        curves={channel: _in(f"curve {channel}", _curve, curve) for channel, curve in curves.items()},
        markers=tuple(_in("marker", _marker, marker) for marker in markers),
        extra=content,
        **header,
    )


def _in(where: str, read: Callable[[Any], Any], value: object) -> Any:
    try:
        return read(value)
    except KeywarpError as error:
        raise KeywarpError(f"{where}: {error}") from None


def _typed(value: Any, kind: type, message: str) -> Any:
    if not isinstance(value, kind):
        raise KeywarpError(f"{message}, not {shown(value)}")
    return value


def _rate(fps: object) -> object:
    if not isinstance(fps, str):
        return fps
    try:
        # Nothing with an exponent: a fraction of a few letters may have a billion digits.
        if not _RATE.fullmatch(fps.strip()):
            raise ValueError
        return float(Fraction(fps.strip()))
    except (ValueError, ZeroDivisionError):
        raise KeywarpError(
            f'a frame rate is a number or a fraction as "24000/1001", not {shown(fps)}'
        ) from None


def _split(fields_: dict[str, Any], known: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
    mine = {name: value for name, value in fields_.items() if name in known}
    return mine, {name: value for name, value in fields_.items() if name not in known}


def _marker(content: object) -> Marker:
    known, extra = _split(_typed(content, dict, "it must be an object"), _MARKER_FIELDS)
    if len(known) < 2:
        raise KeywarpError('it needs a "frame" and a "name"')
    return Marker(**known, extra=extra)


def _curve(content: object) -> Curve:
    known, extra = _split(_typed(content, dict, "it must be an object"), _CURVE_FIELDS)
    shape: dict[str, Any] = {
        name: known[name] for name in ("extrapolation", "auto_smoothing") if name in known
    }
    if "cycles" in known:
        shape["cycles"] = _cycles(known["cycles"])
    if ("keys" in known) == ("points" in known):
        raise KeywarpError('it needs either "keys" or "points"')
    if "keys" in known:
        if "interpolation" in known:
            raise KeywarpError('"interpolation" belongs to each key, or to "points"')
        keys = _typed(known["keys"], list, '"keys" must be a list')
        return Curve([_key(key) for key in keys], **shape, extra=extra)
    points = _typed(known["points"], list, '"points" must be a list')
    if not all(isinstance(p, list) and len(p) == 2 and _is_number(p[0]) and _is_number(p[1]) for p in points):
        raise KeywarpError('"points" must be rows of two numbers, frame and value')
    table = np.array(points, np.float64).reshape(-1, 2)
    interpolation = known.get("interpolation", DEFAULT_KEY.interpolation)
    return Curve.from_points(table[:, 0], table[:, 1], interpolation, **shape, extra=extra)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _cycles(content: object) -> Cycles:
    known, unknown = _split(_typed(content, dict, '"cycles" must be an object'), _CYCLES_FIELDS)
    if unknown:
        raise KeywarpError(f'"cycles" has no field {shown(next(iter(unknown)))}')
    return Cycles(**known)


def _key(content: object) -> Key:
    known, extra = _split(_typed(content, dict, "a key must be an object"), _KEY_FIELDS)
    if "frame" not in known or "value" not in known:
        raise KeywarpError('a key needs a "frame" and a "value"')
    return Key(**known, extra=extra)


# Writing


def _lines(clip: Clip) -> Iterator[str]:
    yield f'{{\n  "keywarp_clip": {VERSION}'
    for name in _HEADER:
        value = getattr(clip, name)
        if value != "":
            yield f',\n  "{name}": {_json(value)}'
    if clip.markers:
        rows = (
            {"frame": m.frame, "name": m.name, **dict(_extra(m.extra, _MARKER_FIELDS))} for m in clip.markers
        )
        yield f',\n  "markers": {_rows(rows, 4)}'
    yield ',\n  "curves": {'
    for i, (channel, curve) in enumerate(clip.curves.items()):
        yield f"{',' if i else ''}\n    {_json(channel)}: {{"
        yield from _curve_lines(curve)
        yield "\n    }"
    yield "\n  }" if clip.curves else "}"
    for name, value in _extra(clip.extra, FIELDS):
        yield f",\n  {_json(name)}: {_json(value)}"
    yield "\n}\n"


def _curve_lines(curve: Curve) -> Iterator[str]:
    head: dict[str, Any] = {
        name: getattr(curve, name)
        for name in ("extrapolation", "auto_smoothing")
        if getattr(curve, name) != getattr(_DEFAULT_CURVE, name)
    }
    if curve.cycles is not None:
        default = Cycles()
        values = ((name, getattr(curve.cycles, name)) for name in _CYCLES_FIELDS)
        head["cycles"] = {name: value for name, value in values if value != getattr(default, name)}
    head.update(_extra(curve.extra, _CURVE_FIELDS))
    if curve.columns.plain:
        head["interpolation"] = curve.columns.key(0).interpolation
    for name, value in head.items():
        yield f"\n      {_json(name)}: {_json(value)},"
    if curve.columns.plain:
        points = zip(curve.columns.frame.tolist(), curve.columns.value.tolist())
        yield f'\n      "points": {_rows(points, 8)}'
    else:
        yield f'\n      "keys": {_rows((_key_fields(key) for key in curve.keys), 8)}'


def _key_fields(key: Key) -> dict[str, Any]:
    required = {"frame": key.frame, "value": key.value}
    rest = {
        name: getattr(key, name)
        for name in _KEY_FIELDS[2:]
        if getattr(key, name) != getattr(DEFAULT_KEY, name)
    }
    return {**required, **rest, **dict(_extra(key.extra, _KEY_FIELDS))}


def _extra(extra: Mapping[str, Any], known: tuple[str, ...]) -> list[tuple[str, Any]]:
    """The fields that are kept without being known; raises where one would take a known one's place."""
    for name in extra:
        if name in known:
            raise KeywarpError(
                f'"{name}" is a field of clip files themselves, not one to be kept beside them'
            )
    return list(extra.items())


def _rows(rows: Any, indent: int) -> str:
    pad = "\n" + " " * indent
    return f"[{pad}{(',' + pad).join(map(_json, rows))}\n{' ' * (indent - 2)}]"


def _json(value: Any) -> str:
    value = _tidy(value)
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError):
        raise KeywarpError(
            f"a clip file holds text, finite numbers and lists of them, not {shown(value)}"
        ) from None
    # Half of a surrogate pair, which JSON may hold and UTF-8 may not, is written as an escape.
    return text if text.isascii() or _is_unicode(text) else json.dumps(value)


def _is_unicode(text: str) -> bool:
    return not any(0xD800 <= ord(character) <= 0xDFFF for character in text)


def _tidy(value: Any) -> Any:
    """Whole numbers without ``.0``, where that reads back as the same number."""
    if (
        isinstance(value, float)
        and value.is_integer()
        and abs(value) < 2**53
        and not (value == 0 and str(value)[0] == "-")
    ):
        return int(value)
    if isinstance(value, Mapping):
        return {key: _tidy(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_tidy(item) for item in value]
    return value
