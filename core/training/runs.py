# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person does with runs: begin or resume one, judge it, make a model of it."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

from keywarp.core.models.exported import CARD_FILE, Card
from keywarp.core.render.drawing import write_drawing
from keywarp.core.runtime.session import worker_count
from keywarp.core.studio.camera import HEADS
from keywarp.core.studio.sampling import SCHEMES
from keywarp.core.training.checkpoints import (
    checkpoints,
    fit,
    newest_checkpoint,
    read_arrays,
    read_part,
    read_progress,
)
from keywarp.core.training.data import data_groups
from keywarp.core.training.domains import listed_stream, training_stream
from keywarp.core.training.families import PartByPart, Trainable, trainable
from keywarp.core.training.judging import Judged, answered, judge, with_weights
from keywarp.core.training.learner import Learner
from keywarp.core.training.loop import Limits, Trainer, choose_torch_device, processes
from keywarp.core.training.losses import perceptual_loss
from keywarp.core.training.optimizers import weights_of
from keywarp.core.training.recipe import Recipe
from keywarp.core.training.run_folder import RUN_FILE, Run, write_text
from keywarp.core.training.scores import means, spread
from keywarp.core.training.sheets import Row, sample_sheet
from keywarp.core.training.stream import Listed
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.spaces import space

SHEET_ROWS = 6
EVALUATION_FILE, EVALUATION_SHEET = "evaluation.json", "evaluation.png"
Advance = Callable[[int, int], None]


def train(
    run: Run,
    folder: Path,
    limits: Limits,
    device: str = "auto",
    vgg: Path | None = None,
    advance: Advance = lambda done, of: None,
    start: Path | None = None,
) -> int:
    """Begin the run, or go on with it where its folder holds one; the steps that are done in the end.

    ``start``: the folder of weights with which to begin. Raises ``KeywarpError`` where the run's folder holds another
    run, or those weights are not what it needs.
    """
    on = choose_torch_device(device)
    torch.set_num_threads(worker_count())
    family = trainable(run.recipe.family)
    perceptual = perceptual_loss(vgg)
    recipe = run.recipe
    begun = bool(checkpoints(folder / "checkpoints"))
    weights = {} if begun else _beginning(family, recipe, start)
    groups = data_groups(map(Path, run.data))
    stream, shown = training_stream(recipe, groups, run.seed), listed_stream(recipe, groups)
    with processes(on) as place:
        if place[0] == 0:
            begin(run, folder, str(on), {} if start is None else {"start": str(start)})
        trainer = Trainer(
            recipe, lambda r: family.learner(r, perceptual), stream, folder, run.seed, on, place
        )
        if not trainer.resume():
            trainer.begin_with(weights)

        def draw(now: Trainer[Learner]) -> None:
            examples = [shown[i] for i in spread(SHEET_ROWS, len(shown))]
            with with_weights(now.learner, now.average.weights):
                rows = answered(now.learner, examples, now.device)
            title = f"{recipe.family} {recipe.preset}, step {now.step}"
            (folder / "sheets").mkdir(exist_ok=True)
            write_drawing(folder / "sheets" / f"step-{now.step:08d}.png", sample_sheet(title, rows))

        trainer.run(limits, advance if place[0] == 0 else lambda done, of: None, draw)
    return trainer.step


def _beginning(family: Trainable, recipe: Recipe, start: Path | None) -> Mapping[str, Any]:
    if isinstance(family, PartByPart):
        return family.beginning(recipe, start)
    if start is not None:
        raise KeywarpError(f"a run of {recipe.family} does not begin with weights; leave --start out")
    return {}


def begin(run: Run, folder: Path, device: str, about: Mapping[str, Any] | None = None) -> None:
    """Write the run down, with what is to be known ``about`` it; raises ``KeywarpError`` where its folder holds
    another run, or cannot be written."""
    if (folder / RUN_FILE).exists():
        there = Run.load(folder)
        if there.recipe != run.recipe or there.seed != run.seed:
            raise KeywarpError(
                f"{folder} holds a run of {there.recipe.family} with the preset {there.recipe.preset}, "
                "another recipe or seed; give another folder, or leave its options out to go on with it"
            )
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        run.save(folder, device, about or {})
    except OSError as error:
        raise KeywarpError(f"{folder} cannot be written: {error.strerror or error}") from None


def evaluate(
    folder: Path, data: Sequence[Path], device: str = "auto", advance: Advance = lambda done, of: None
) -> dict[str, Any]:
    """Score the run's averaged weights on shards; the table, which also stands in the run's folder with a sheet.

    ``answer`` and ``unposed`` (the picture left as it is) hold means over all examples, ``worst`` names the
    examples of the lowest PSNR.
    """
    run, on = Run.load(folder), choose_torch_device(device)
    recipe, checkpoint = run.recipe, newest_checkpoint(folder)
    learner = trainable(recipe.family).learner(recipe, perceptual_loss(None))
    for network in learner.networks.values():
        network.to(on).eval()
    weights = read_part(checkpoint, "average")
    fit(weights, weights_of(learner, learner.kept), checkpoint / "average.safetensors")
    stream = listed_stream(recipe, data_groups(data))
    found: list[tuple[Judged, Row | None]] = []
    shown = set(spread(SHEET_ROWS, len(stream)))
    with with_weights(learner, weights):
        for number, (judged, row) in enumerate(judge(learner, stream, on)):
            found.append((judged, row if number in shown else None))
            advance(number + 1, len(stream))
    table = {
        "step": read_progress(checkpoint)["step"],
        "examples": len(found),
        "answer": means(judged.scores for judged, _ in found),
        "unposed": means(judged.unposed for judged, _ in found),
        "worst": _worst([judged for judged, _ in found], stream),
    }
    write_text(folder / EVALUATION_FILE, json.dumps(table, indent=1))
    rows = [replace(row, caption=_caption(judged)) for judged, row in found if row is not None]
    title = f"{recipe.family} {recipe.preset}, step {table['step']}: {table['answer']['psnr']:.2f} dB on {len(found)}"
    write_drawing(folder / EVALUATION_SHEET, sample_sheet(title, rows))
    return table


def _worst(judged: Sequence[Judged], stream: Listed, count: int = 10) -> list[dict[str, Any]]:
    order = np.argsort([one.scores["psnr"] for one in judged])[:count]
    return [{"key": stream.stored(int(i)).key, "psnr": judged[int(i)].scores["psnr"]} for i in order]


def _caption(judged: Judged) -> str:
    parts = [f"{judged.identity}: {judged.scores['psnr']:.2f} dB, unposed {judged.unposed['psnr']:.2f} dB"]
    if "flow_error" in judged.scores:
        parts.append(f"flow {judged.scores['flow_error']:.2f} px")
    return ", ".join(parts)


def export(folder: Path, out: Path, licence: str = "", credit: str = "") -> Card:
    """Make a model's folder of the run's averaged weights; ``find_model`` recognises it.

    Raises ``KeywarpError`` where ``out`` holds something else already.
    """
    run, checkpoint = Run.load(folder), newest_checkpoint(folder)
    recipe = run.recipe
    weights = read_arrays(checkpoint, "average")
    family = trainable(recipe.family)
    files = dict(family.export(recipe, weights))
    step = read_progress(checkpoint)["step"]
    card = Card(
        family=recipe.family,
        form=f"{recipe.family}, preset {recipe.preset}",
        space=recipe.space,
        side=family.model_side(recipe) if isinstance(family, PartByPart) else recipe.side,
        parameters=sum(int(value.size) for value in weights.values()),
        licence=licence,
        credit=credit,
        trained={"step": step, "recipe": recipe.as_data(), "seed": run.seed},
        head=_head_of(run),
        rest=_rest_of(run),
    )
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / CARD_FILE).is_file())):
        raise KeywarpError(f"{out} is there already, and is no model's folder; give another name")
    if isinstance(family, PartByPart):
        files = {**family.beside(recipe, out), **files}
    place_model(out, card, files)
    return card


def _photographed(run: Run) -> Mapping[str, Any]:
    """How the run's data were photographed, if they are photographs that are still there."""
    try:
        return data_groups(map(Path, run.data))[0][0].read().about
    except (KeywarpError, OSError):
        return {}


def _head_of(run: Run) -> Sequence[float] | None:
    """Where the run's data have the head."""
    target = HEADS.get(str(_photographed(run).get("framing")))
    return None if target is None else [target.cx, target.cy, target.side]


def _rest_of(run: Run) -> Mapping[str, float] | None:
    """What of the pose of its rest pictures is not the space's default."""
    chosen, poses = SCHEMES.get(str(_photographed(run).get("scheme"))), space(run.recipe.space)
    if chosen is None or chosen.space != poses.name:
        return None
    pairs = zip(poses.names, chosen.rest(), poses.rest(), strict=True)
    return {name: float(value) for name, value, own in pairs if value != own} or None


def place_model(out: Path, card: Card, files: Mapping[str, onnx.ModelProto | bytes]) -> None:
    """Make a model's folder, which appears as a whole under its name."""
    out.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        for name, content in files.items():
            if isinstance(content, bytes):
                (unfinished / name).write_bytes(content)
            else:
                onnx.save(content, str(unfinished / name))
        (unfinished / CARD_FILE).write_text(card.text(), encoding="utf-8")
        unfinished.chmod(0o777 & ~_umask())
        shutil.rmtree(out, ignore_errors=True)
        unfinished.rename(out)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def resumable(folder: Path) -> Run | None:
    """The run that the folder holds, if it holds one."""
    return Run.load(folder) if (folder / RUN_FILE).exists() else None


def stretched(recipe: Recipe, steps: int | None, space_name: str | None) -> Recipe:
    """The recipe with another length or pose space, where one is given."""
    changed = recipe if steps is None else recipe.with_steps(steps)
    return changed if space_name is None else replace(changed, space=space(space_name).name)
