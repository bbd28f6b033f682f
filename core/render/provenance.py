# SPDX-License-Identifier: GPL-3.0-or-later
"""What every file that keywarp writes says about where it came from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keywarp.core.character import Character
    from keywarp.core.models.base import ModelInfo


@cache
def keywarp_version() -> str:
    """The installed version of keywarp."""
    try:
        return version("keywarp")
    except PackageNotFoundError:
        return "of a source tree"


@dataclass(frozen=True)
class Provenance:
    """Who made a frame from what; nothing that differs between two runs of the same work."""

    character: str = ""
    """The character's name or file name, without its folder."""
    model: str = ""
    """Family and name of the model that posed it."""
    licence: str = ""
    """Licence of artwork and weights, as their owner states it."""
    credit: str = ""
    """Whom to name."""
    work: str = ""
    """What tells the frames of one render from those of another: equal where the same number shows the same."""

    def fields(self) -> dict[str, str]:
        """Keyword and text, in the order in which files list them; what is unknown is left out."""
        known = {
            "Software": f"keywarp {keywarp_version()}",
            "Character": self.character,
            "Model": self.model,
            "Licence": self.licence,
            "Credit": self.credit,
            "Work": self.work,
        }
        plain = {key: _one_line(text) for key, text in known.items()}
        return {key: text for key, text in plain.items() if text}

    def comment(self) -> str:
        """All fields in one line, for containers with a single comment."""
        return "; ".join(f"{key}: {text}" for key, text in self.fields().items())


def provenance_of(character: Character, model: ModelInfo) -> Provenance:
    """What frames of a character say, drawn by this model."""
    licences = [character.licence and f"artwork: {character.licence}", f"model: {model.licence}"]
    credits = [character.credit, model.credit]
    return Provenance(
        character=character.name,
        model=f"{model.form} {model.source} ({model.content[:12]})",
        licence="; ".join(filter(None, licences)),
        credit="; ".join(filter(None, credits)),
    )


def _one_line(text: str) -> str:
    """Without line breaks and control characters, which no file format's text fields hold."""
    return "".join(c for c in " ".join(text.split()) if c.isprintable())
