# SPDX-License-Identifier: GPL-3.0-or-later
"""What files say about where they came from."""

from __future__ import annotations

from keywarp.core.render.provenance import Provenance


def test_only_what_is_known_is_listed() -> None:
    assert list(Provenance().fields()) == ["Software"]
    fields = Provenance(character="Gene", licence="CC BY 4.0").fields()
    assert list(fields) == ["Software", "Character", "Licence"]


def test_one_line_without_control_characters() -> None:
    provenance = Provenance(character=" Gene\n the\t second\0 ", model="\n")
    assert provenance.fields()["Character"] == "Gene the second"
    assert provenance.comment().endswith("; Character: Gene the second")
