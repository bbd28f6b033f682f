# SPDX-License-Identifier: GPL-3.0-or-later
"""YAML files from users: plain data only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from keywarp.keyframes.errors import KeywarpError

MAX_BYTES = 1 << 20
"""A character file has a few hundred bytes; a larger YAML file is something else."""


class _PlainLoader(yaml.SafeLoader):  # type: ignore[misc,unused-ignore]
    """Plain data without aliases: a short file of nested aliases can stand for gigabytes."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not allowed")
        return super().compose_node(parent, index)


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping that the file holds; raises ``KeywarpError`` where it holds anything but plain data."""
    try:
        if path.exists() and not path.is_file():
            raise KeywarpError(f"{path} is not a file; a YAML file was expected there")
        if path.stat().st_size > MAX_BYTES:
            raise KeywarpError(f"{path} is too large for a character file (more than {MAX_BYTES >> 20} MiB)")
        text = path.read_text(encoding="utf-8-sig")
        content = yaml.load(text, Loader=_PlainLoader)
    except FileNotFoundError:
        raise KeywarpError(f"{path} does not exist; a YAML file was expected there") from None
    except OSError as error:
        raise KeywarpError(f"{path} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise KeywarpError(f"{path} is not a text file; YAML in UTF-8 was expected") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise KeywarpError(f"{path} is not plain YAML: {_where(error)}") from None
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise KeywarpError(f"{path} should hold names and values (a YAML mapping), and does not")
    return content


def _where(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error) or type(error).__name__
    return f"{problem.splitlines()[0]}" + (f" in line {mark.line + 1}" if mark else "")
