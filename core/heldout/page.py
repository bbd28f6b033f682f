# SPDX-License-Identifier: GPL-3.0-or-later
"""The results as a page: tables, sheets, and the worst cases."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keywarp.core.color import over_srgb8
from keywarp.core.heldout.suite import Outcome, gain
from keywarp.core.heldout.trial import ANSWER, BICUBIC, LARGE, METHODS, PARTS, RESWARP, STEADY, UNPOSED
from keywarp.core.render.drawing import write_drawing
from keywarp.core.training.run_folder import write_text
from keywarp.core.training.sheets import BEHIND, sample_sheet, table_sheet

RESULTS, PAGE = "results.json", "results.md"
SHEET, WORST, CROPS = "poses.png", "worst.png", "large.png"
_TITLES = {"mae": "MAE", "rmse": "RMSE", "psnr": "PSNR, dB", "ssim": "SSIM"}
_CROP_CELL = 256
_TURNS = {
    "0": "not turned",
    "1": "turned about one axis",
    "2": "turned about two axes",
    "3": "turned about all three axes",
}


def write_results(folder: Path, table: Mapping[str, Any], found: Outcome, command: str) -> None:
    """Write ``results.json``, ``results.md`` and the sheets; files of an earlier run are replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    name = table["model"]["name"]
    if found.shown:
        write_drawing(folder / SHEET, sample_sheet(f"{name}: poses spread over the whole suite", found.shown))
    if found.worst:
        title = f"{name}: the {len(found.worst)} poses with the lowest PSNR of the face"
        write_drawing(folder / WORST, sample_sheet(title, found.worst))
    if found.crops:
        headings = ("truth", *METHODS)
        lines = [
            (each.caption, [over_srgb8(np.ascontiguousarray(each.crops[what]), BEHIND) for what in headings])
            for each in found.crops
        ]
        title = f"{name}: the face in {LARGE}x{LARGE}"
        write_drawing(folder / CROPS, table_sheet(title, headings, lines, _CROP_CELL))
    write_text(folder / RESULTS, json.dumps(table, indent=1))
    write_text(folder / PAGE, "\n".join(page(table, command)))


def page(table: Mapping[str, Any], command: str) -> Iterator[str]:
    """The page's lines, Markdown."""
    model = table["model"]
    yield f"# {model['name']} on characters that it has not learnt from"
    yield ""
    yield f"    {command}"
    yield ""
    yield (
        f"{model['form']}, {model['parameters']:,} parameters, {model['side']}x{model['side']} pixels, pose space "
        f"`{model['space']}`, content `{model['content'][:12]}`; keywarp {table['keywarp']}. Pictures are compared "
        "as sRGB over mid grey; means over poses."
    )
    for kind, judged in table["own_size"].items():
        yield from _own_size(kind, judged, table["by_group"][kind], model["side"])
    for kind, judged in table["large"].items():
        if judged["poses"]:
            yield from _full_size(kind, judged)
    if table["clips"]:
        yield from _clips(table["clips"])
    if table["worst"]:
        yield from _worst(table["worst"])
    licences = ", ".join(f"{name}: {text or 'not stated'}" for name, text in table["subjects"].items())
    yield from ("", "## Licences of the pictures", "", licences, "")


def _own_size(kind: str, judged: Mapping[str, Any], groups: Mapping[str, Any], side: int) -> Iterator[str]:
    yield from ("", f"## At {side}x{side}: {_whom(kind, judged)}", "")
    yield from _parts(judged, (ANSWER, UNPOSED))
    if "flow" in judged:
        errors = ", ".join(f"{name} {value:.2f}" for name, value in judged["flow"].items())
        yield from ("", f"End-point error of the flow, pixels of {side}: {errors}.")
    if len(groups) > 1:
        yield from ("", *_table_head("head", "poses", "PSNR, dB", UNPOSED, "face crop, dB", UNPOSED))
        for group, some in groups.items():
            cells = [f"{some[name][part]['psnr']:.2f}" for part in _two(some) for name in (ANSWER, UNPOSED)]
            yield _line(_TURNS.get(group, group), str(some["poses"]), *cells)
    yield from ("", f"![Poses beside the truth]({SHEET})")


def _full_size(kind: str, judged: Mapping[str, Any]) -> Iterator[str]:
    yield from ("", f"## At {LARGE}x{LARGE}: {_whom(kind, judged)}", "")
    yield from _parts(judged, METHODS)
    better = ", ".join(f"{part} {gain(judged, RESWARP, part, BICUBIC):+.2f} dB" for part in judged[RESWARP])
    yield from ("", f"{RESWARP} against {BICUBIC}: {better}.")
    yield "Sharp detail in a wrong place scores below a blur: where the model's motion is off, look at the sheet."
    yield from ("", f"![The face in full size]({CROPS})")


def _clips(clips: Mapping[str, float]) -> Iterator[str]:
    yield from ("", "## In motion: five seconds of a clip, 24 frames a second", "")
    yield "Warping error, times 1000; that of the truth comes from the optical flow by which it is measured."
    yield from ("", *_table_head(*STEADY), _line(*(f"{clips[name]:.3f}" for name in STEADY)))


def _worst(captions: Sequence[str]) -> Iterator[str]:
    yield from ("", "## The worst", "", f"![The poses with the lowest PSNR of the face]({WORST})", "")
    yield from (f"{number}. {caption}" for number, caption in enumerate(captions, 1))


def _whom(kind: str, judged: Mapping[str, Any]) -> str:
    what = {
        "generated": f"generated characters ({judged['subjects']})",
        "named": f"characters from files ({judged['subjects']})",
        "student": "the student",
    }
    return f"{what[kind]}, {judged['poses']} poses in all"


def _two(judged: Mapping[str, Any]) -> list[str]:
    return [part for part in PARTS[:2] if part in judged[ANSWER]]


def _parts(judged: Mapping[str, Any], names: Sequence[str]) -> Iterator[str]:
    yield from _table_head("part", "what", *_TITLES.values())
    for part in PARTS:
        for name in names:
            scores = judged.get(name, {}).get(part)
            if scores is not None:
                figures = (f"{scores[key]:.2f}" if key == "psnr" else f"{scores[key]:.4f}" for key in _TITLES)
                yield _line(part if name == names[0] else "", name, *figures)


def _table_head(*cells: str) -> tuple[str, str]:
    return _line(*cells), _line(*("---" for _ in cells))


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
