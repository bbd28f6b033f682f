# SPDX-License-Identifier: GPL-3.0-or-later
"""The manual inside the extension: a page of HTML for every chapter of docs/blender.md.

It knows what that file uses: headings, paragraphs, lists, tables, code, pictures, links and emphasis.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Optional

_STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:46em;margin:2em auto;padding:0 1em;color:#222;background:#fff}"
    "img{max-width:100%}code,pre{background:#f0f0f0;border-radius:3px}code{padding:0 .2em}pre{padding:.6em;"
    "overflow:auto}table{border-collapse:collapse}td,th{border:1px solid #ccc;padding:.2em .6em;text-align:left;"
    "vertical-align:top}nav{font-size:.9em;margin-bottom:2em}"
)


def slug(heading: str) -> str:
    """A chapter's name in addresses: ``Idle Motion`` -> ``idle-motion``, as code hosts make anchors."""
    return re.sub(r"[^\w-]", "", heading.lower().replace(" ", "-"))


def chapters(text: str) -> Iterator[tuple[str, str]]:
    """(heading, text) of a document's chapters; what stands before the first has the document's title."""
    for part in re.split(r"^##? ", text, flags=re.MULTILINE):
        if part.strip():
            heading, _, body = part.partition("\n")
            yield heading.strip(), body


def pages(text: str) -> dict[str, str]:
    """The pages by file name: ``index.html`` with the document's beginning, then one for each chapter."""
    parts = list(chapters(text))
    names = ["index.html", *(f"{slug(heading)}.html" for heading, _ in parts[1:])]
    links = " &middot; ".join(
        f'<a href="{name}">{html.escape(heading)}</a>' for name, (heading, _) in zip(names, parts)
    )
    return {name: _page(heading, links, body) for name, (heading, body) in zip(names, parts)}


def pictures(text: str) -> list[str]:
    """The pictures that a document shows, as it names them."""
    return sorted(set(re.findall(r"!\[[^\]]*\]\(([^)\s]+)\)", text)))


def _page(heading: str, links: str, body: str) -> str:
    title = html.escape(heading)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
        f"<nav>{links}</nav><h1>{title}</h1>\n" + "\n".join(_blocks(body)) + "\n</html>\n"
    )


def _blocks(body: str) -> Iterator[str]:
    """The parts of a chapter that empty lines separate, as HTML; code keeps its empty lines."""
    for number, part in enumerate(re.split(r"^```\w*\n(.*?)^```$", body, flags=re.MULTILINE | re.DOTALL)):
        if number % 2:
            yield f"<pre>{html.escape(part.rstrip())}</pre>"
        else:
            for block in re.split(r"\n\s*\n", part.strip("\n")):
                if block.strip():
                    yield _block(block)


def _block(block: str) -> str:
    lines = block.splitlines()
    heading = re.match(r"(#{3,4}) (.+)", lines[0])
    if heading and len(lines) == 1:
        level = len(heading[1]) - 1
        return f'<h{level} id="{slug(heading[2])}">{_inline(heading[2])}</h{level}>'
    if lines[0].startswith("|"):
        return _table(lines)
    kind = _list_kind(lines[0])
    if kind:
        return _list(lines, kind)
    return f"<p>{_inline(' '.join(line.strip() for line in lines))}</p>"


def _list_kind(line: str) -> Optional[str]:
    return "ul" if line.startswith("- ") else "ol" if re.match(r"\d+\. ", line) else None


def _list(lines: list[str], kind: str) -> str:
    """A flat list; lines that are indented go on with their item."""
    items: list[str] = []
    for line in lines:
        if _list_kind(line):
            items.append(re.sub(r"^(- |\d+\. )", "", line))
        else:
            items[-1] += f" {line.strip()}"
    return f"<{kind}>" + "".join(f"<li>{_inline(item)}</li>" for item in items) + f"</{kind}>"


def _table(lines: list[str]) -> str:
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
    head, body = rows[0], rows[2:]

    def row(cells: list[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{_inline(cell)}</{tag}>" for cell in cells) + "</tr>"

    return "<table>" + row(head, "th") + "".join(row(cells, "td") for cells in body) + "</table>"


def _inline(text: str) -> str:
    """Code, pictures, links, bold and italic within a line; code is left as it is."""
    parts = re.split(r"`([^`]+)`", text)
    return "".join(
        f"<code>{html.escape(part)}</code>" if number % 2 else _emphasis(html.escape(part, quote=False))
        for number, part in enumerate(parts)
    )


def _emphasis(text: str) -> str:
    text = re.sub(r"!\[([^\]]*)\]\(([^)\s]+)\)", r'<img alt="\1" src="\2">', text)
    text = re.sub(r"\[([^\]]+)\]\(#([\w-]+)\)", r'<a href="\2.html">\1</a>', text)
    text = re.sub(r"\[([^\]]+)\]\((https?://[^)\s]+)\)", r'<a href="\2">\1</a>', text)
    text = re.sub(r"\*\*([^*]+)\*\*", r"<b>\1</b>", text)
    return re.sub(r"\*([^*]+)\*", r"<i>\1</i>", text)
