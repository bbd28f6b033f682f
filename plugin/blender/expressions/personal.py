# SPDX-License-Identifier: GPL-3.0-or-later
"""Expressions of one's own: a JSON file for each in Blender's user folder."""

from __future__ import annotations

import os
from pathlib import Path

from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.expressions import Expression
from keywarp.keyframes.pose_text import MAX_BYTES, expression_text, identifier, parse_expression

from ..setup import preferences

MOST = 1000
_SUFFIX = ".json"


class _State:
    listed: tuple[Expression, ...] = ()
    stamp: object = None


def folder() -> Path:
    """Where they lie; it need not exist yet."""
    return preferences.user_folder("expressions")


def listing() -> tuple[Expression, ...]:
    """All of them, by title; files that hold no expression are left out. Cheap to ask again."""
    stamp = _stamp()
    if stamp != _State.stamp:
        _State.listed = tuple(sorted(_read_all(), key=lambda each: each.title.casefold()))
        _State.stamp = stamp
    return _State.listed


def find(name: str) -> Expression:
    """The one of this name; raises ``KeywarpError`` where there is none."""
    for each in listing():
        if each.name == name:
            return each
    raise KeywarpError(f"there is no expression of your own named {name!r}")


def save(title: str, values: dict[str, float]) -> Expression:
    """Keep an expression, in the place of one whose title gives the same file; raises ``KeywarpError``."""
    text = expression_text(title, values)
    path = _path(identifier(title))
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_text(text, encoding="utf-8")
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise KeywarpError(f"{path}: the expression cannot be written ({error.strerror or error})") from None
    _State.stamp = None
    return parse_expression(text)


def delete(name: str) -> None:
    """Remove the one of this name; raises ``KeywarpError`` where there is none or it cannot be removed."""
    path = _path(find(name).name)
    try:
        path.unlink()
    except OSError as error:
        raise KeywarpError(f"{path}: the expression cannot be deleted ({error.strerror or error})") from None
    _State.stamp = None


def _path(name: str) -> Path:
    return folder() / f"{name}{_SUFFIX}"


def _stamp() -> object:
    try:
        return folder().stat().st_mtime_ns
    except OSError:
        return 0


def _read_all() -> list[Expression]:
    found = []
    for path in sorted(folder().glob(f"*{_SUFFIX}"))[:MOST]:
        try:
            if path.is_file() and path.stat().st_size <= MAX_BYTES:
                each = parse_expression(path.read_text(encoding="utf-8"))
                if each.name == path.stem:
                    found.append(each)
        except (OSError, UnicodeDecodeError, KeywarpError):
            continue
    return found
