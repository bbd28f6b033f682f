# SPDX-License-Identifier: GPL-3.0-or-later
"""The manual's pages: what docs/blender.md says, as HTML, and nothing that leads nowhere."""

from __future__ import annotations

import html.parser
import re
from pathlib import Path

import pytest

from install import manual

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "blender.md").read_text(encoding="utf-8")
PAGES = manual.pages(TEXT)


class Reader(html.parser.HTMLParser):
    """A page's text, links and tags, as a browser finds them."""

    def __init__(self) -> None:
        super().__init__()
        self.text, self.links, self.open = "", [], []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value for name, value in attrs if name in ("href", "src") and value]
        if tag not in ("img", "meta"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += f" {data}"


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere(name: str) -> None:
    for link in read(PAGES[name]).links:
        there = link in PAGES or (Path(__file__).resolve().parents[2] / "docs" / link).is_file()
        assert there or link.startswith("https://"), link


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text)


def test_nothing_that_is_written_is_lost() -> None:
    shown = {word for page in PAGES.values() for word in words(read(page).text)}
    written = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", TEXT)
    # The text beside a picture is an attribute.
    alternatives = {word for text in re.findall(r"!\[([^\]]*)\]", TEXT) for word in words(text)}
    assert set(words(written)) - shown - alternatives <= {str(number) for number in range(20)}


def test_marks_become_tags() -> None:
    text = (
        "# T\n\nA **b** *c* `d*e*<f>` [g](#h-i) [j](https://k).\n\n## H I\n\n1. one\n   more\n2. two\n\n"
        "- x\n\n| a | b |\n|---|---|\n| `1` | 2 |\n\n```sh\ncode  <\n\nmore\n```\n\n### Deeper\n"
    )
    pages = manual.pages(text)
    assert list(pages) == ["index.html", "h-i.html"]
    assert (
        '<p>A <b>b</b> <i>c</i> <code>d*e*&lt;f&gt;</code> <a href="h-i.html">g</a> <a href="https://k">j</a>.</p>'
        in pages["index.html"]
    )
    body = pages["h-i.html"]
    assert "<ol><li>one more</li><li>two</li></ol>" in body and "<ul><li>x</li></ul>" in body
    assert "<tr><th>a</th><th>b</th></tr><tr><td><code>1</code></td><td>2</td></tr>" in body
    assert "<pre>code  &lt;\n\nmore</pre>" in body and '<h2 id="deeper">Deeper</h2>' in body
