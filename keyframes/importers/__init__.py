# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of other programs as clips. What a file is, its content says; its name may lie."""

from __future__ import annotations

import os
from pathlib import Path

from keywarp.keyframes.clip import FilePath
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.importers import arkit_csv, clip_json, openface, papagayo, rhubarb, speech, vmd, vrma
from keywarp.keyframes.importers.base import Format, Imported

__all__ = ["FORMATS", "Format", "Imported", "UnknownFileError", "load"]

#: What can be imported; the first that recognises a file reads it.
FORMATS: tuple[Format, ...] = (
    clip_json.FORMAT,
    vmd.FORMAT,
    vrma.FORMAT,
    openface.FORMAT,
    arkit_csv.FORMAT,
    rhubarb.TSV,
    rhubarb.XML,
    rhubarb.JSON,
    papagayo.SWITCH,
    papagayo.PROJECT,
    speech.FORMAT,
)


class UnknownFileError(KeywarpError):
    """A file that no format recognises."""


#: Enough for the longest header of a table, OpenFace's.
_HEAD_BYTES = 65536


def load(path: FilePath) -> Imported:
    """The clip that a file holds; raises ``KeywarpError`` that names the file and the fault."""
    try:
        return _load(Path(path))
    except KeywarpError as error:
        raise type(error)(f"{os.fspath(path)}: {error}") from None


def _load(path: Path) -> Imported:
    try:
        if path.exists() and not path.is_file():
            raise KeywarpError("the file cannot be read (it is no ordinary file)")
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
            form = _recognised(head)
            if os.fstat(file.fileno()).st_size > form.max_bytes:
                raise KeywarpError(
                    f"a file of this kind ({form.description}) has at most {form.max_bytes >> 20} MiB"
                )
            data = head + file.read()
    except OSError as error:
        raise KeywarpError(f"the file cannot be read ({error.strerror or error})") from None
    return form.read(data)


def _recognised(head: bytes) -> Format:
    for form in FORMATS:
        if form.recognises(head):
            return form
    if not head:
        raise KeywarpError("the file is empty")
    known = ", ".join(form.description for form in FORMATS)
    raise UnknownFileError(f"this is no file that can be imported; those are: {known}")
