# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses and expressions as JSON text: what the clipboard and a person's own files hold.

A pose is an object of channel names and numbers, the same that ``keywarp pose --pose FILE.json`` reads.
An expression is ``{"keywarp_expression": 1, "title": ..., "group": ..., "values": pose}``; it covers
the channels that it names. Fields that are not known are ignored.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NoReturn

from keywarp.keyframes.channels import PoseSpace
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.expressions import SPACE, Expression, covered
from keywarp.keyframes.keys import number, shown

VERSION = 1
MAX_BYTES = 1 << 20
MAX_TITLE = 60
_MAX_VALUE = 1e6

#: The group of a person's own expressions.
OWN = "My Own"


def pose_text(values: Mapping[str, float]) -> str:
    """A pose as text, a channel a line; values are rounded to a millionth."""
    return json.dumps({name: round(float(value), 6) for name, value in values.items()}, indent=1)


def parse_pose(text: str, space: PoseSpace = SPACE) -> dict[str, float]:
    """The pose in ``text``; raises ``KeywarpError`` where it is none, or not of ``space``.

    Values are held to their channels' ranges.
    """
    return _pose(_object(text, "a pose"), space)


def expression_text(title: str, values: Mapping[str, float], group: str = OWN) -> str:
    """An expression of one's own as text; raises ``KeywarpError`` for a title that cannot be one."""
    held = _pose(dict(values), SPACE)
    content = {"keywarp_expression": VERSION, "title": _title(title), "group": group}
    return json.dumps(
        {**content, "values": {name: round(value, 6) for name, value in held.items()}}, indent=1
    )


def parse_expression(text: str) -> Expression:
    """The expression in ``text``; raises ``KeywarpError`` where it is none."""
    content = _object(text, "an expression")
    version = content.get("keywarp_expression")
    if version != VERSION or isinstance(version, bool):
        raise KeywarpError(f'this is no expression: "keywarp_expression" must be {VERSION}')
    values = content.get("values")
    if not isinstance(values, dict) or not values:
        raise KeywarpError('an expression\'s "values" must be an object of channel names and numbers')
    title = _title(content.get("title"))
    held = _pose(values, SPACE)
    group = content.get("group", OWN)
    if not isinstance(group, str) or not 1 <= len(group) <= MAX_TITLE:
        raise KeywarpError(f"an expression's group must be text of at most {MAX_TITLE} letters")
    return Expression(identifier(title), title, group, MappingProxyType(held), covered(held))


def identifier(title: str) -> str:
    """A file's name without its end, made of a title: letters, digits and underscores."""
    word = re.sub(r"\W+", "_", title.strip()).strip("_").lower()
    if not word:
        raise KeywarpError(f"{shown(title)} is no name: it needs at least one letter or digit")
    return word


def _title(title: Any) -> str:
    if not isinstance(title, str) or not 1 <= len(title.strip()) <= MAX_TITLE or not title.isprintable():
        raise KeywarpError(
            f"an expression's name must be text of 1 to {MAX_TITLE} letters, not {shown(title)}"
        )
    identifier(title)
    return title.strip()


def _pose(content: Mapping[str, Any], space: PoseSpace) -> dict[str, float]:
    held = {}
    for name, value in content.items():
        channel = space[name]
        held[name] = min(max(number(value, name, _MAX_VALUE), channel.minimum), channel.maximum)
    return held


def _object(text: str, what: str) -> dict[str, Any]:
    if len(text) > MAX_BYTES:
        raise KeywarpError(f"the text is too long to be {what}: at most {MAX_BYTES >> 20} MiB")
    try:
        content = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise KeywarpError(f"the text is not {what}: it must be a JSON object of channel names and numbers")
    return content


def _refuse(word: str) -> NoReturn:
    raise ValueError(word)
