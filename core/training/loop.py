# SPDX-License-Identifier: GPL-3.0-or-later
"""The training loop of every family.

What a step computes follows from the weights, the optimisers' states, the step's number and the place in the data;
nothing else is carried from one step to the next. A run that is killed and resumed therefore ends as one that was
not, bit for bit on a CPU.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch import distributed as dist

from keywarp.core.training.checkpoints import (
    checkpoints,
    fit,
    read_part,
    read_progress,
    write_checkpoint,
)
from keywarp.core.training.learner import Learning, Portion, Turn, batch_of
from keywarp.core.training.loader import Examples, batches, default_workers
from keywarp.core.training.optimizers import Average, TurnOptimizer, weights_of
from keywarp.core.training.recipe import Recipe
from keywarp.core.training.run_folder import Log
from keywarp.keyframes.errors import KeywarpError

L = TypeVar("L", bound=Learning)


@dataclass(frozen=True)
class Limits:
    """How far a run goes, and how often it tells."""

    minutes: float | None = None
    """Wall-clock time after which it ends with a checkpoint; ``None``: the recipe's steps."""
    checkpoint_minutes: float = 10.0
    checkpoint_steps: int = 0
    """Besides, a checkpoint after each multiple of these steps; 0: none."""
    sheet_steps: int = 500
    log_steps: int = 10


def choose_torch_device(wanted: str) -> torch.device:
    """``auto``, ``cpu`` or ``cuda``, in a data-parallel run this process's own GPU."""
    if wanted == "cpu" or (wanted == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise KeywarpError("PyTorch finds no CUDA device here; install its CUDA build, or use --device cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


@contextlib.contextmanager
def processes(device: torch.device) -> Iterator[tuple[int, int]]:
    """(rank, number of processes) of a run that ``torchrun`` has started; (0, 1) of any other."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        yield 0, 1
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield dist.get_rank(), world
    finally:
        dist.destroy_process_group()


class Trainer(Generic[L]):
    """One run of one family."""

    def __init__(
        self,
        recipe: Recipe,
        make: Callable[[Recipe], L],
        stream: Examples,
        folder: Path,
        seed: int,
        device: torch.device,
        place: tuple[int, int] = (0, 1),
        collate: Callable[[Sequence[Any]], Portion] = batch_of,
    ) -> None:
        """``make``: the family's learner for a recipe; ``place``: (rank, number of processes); ``collate``: examples
        of the stream to what the learner is given."""
        self.recipe, self.folder, self.device = recipe, folder, device
        self._seed, (self._rank, self._world) = seed, place
        if recipe.batch % (self._world * recipe.accumulate):
            raise KeywarpError(
                f"a batch of {recipe.batch} cannot be dealt to {self._world} processes in {recipe.accumulate} parts"
            )
        torch.manual_seed(seed)
        self.learner = make(recipe)
        for network in self.learner.networks.values():
            network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._stream, self._collate = stream, collate
        self._optimizers = {
            turn.name: TurnOptimizer(recipe, self.learner, turn) for turn in self.learner.turns
        }
        self.average = Average(self.learner, recipe.ema)
        self.step, self._examples = 0, 0
        self._low = torch.bfloat16 if device.type == "cuda" and torch.cuda.is_bf16_supported() else None
        if device.type == "cuda":
            torch.backends.cudnn.benchmark = True
            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True

    # Where it stands

    def resume(self) -> bool:
        """Go on from the newest checkpoint, where there is one."""
        found = checkpoints(self.folder / "checkpoints")
        if not found:
            return False
        newest = found[-1]
        weights = read_part(newest, "weights")
        expected = weights_of(self.learner, self.learner.networks)
        fit(weights, expected, newest / "weights.safetensors")
        average = read_part(newest, "average")
        fit(average, self.average.weights, newest / "average.safetensors")
        progress, states = read_progress(newest), read_part(newest, "optimizers")
        with torch.no_grad():
            for name, tensor in expected.items():
                tensor.copy_(weights[name])
            for name, tensor in self.average.weights.items():
                tensor.copy_(average[name])
        for turn, optimizer in self._optimizers.items():
            optimizer.load(
                {key[len(turn) + 1 :]: x for key, x in states.items() if key.startswith(f"{turn}:")}
            )
        self.step, self._examples = progress["step"], progress["examples"]
        return True

    def begin_with(self, weights: Mapping[str, Any]) -> None:
        """Take these weights, arrays by ``NETWORK.TENSOR``, instead of those drawn by chance."""
        live = weights_of(self.learner, self.learner.networks)
        with torch.no_grad():
            for name, value in weights.items():
                live[name].copy_(torch.from_numpy(np.array(value)))
                self.average.weights[name].copy_(live[name])

    def save(self) -> None:
        """Write a checkpoint of this moment."""
        if self._rank != 0:
            return
        states = {
            f"{turn}:{name}": tensor
            for turn, optimizer in self._optimizers.items()
            for name, tensor in optimizer.state().items()
        }
        parts = {
            "weights": weights_of(self.learner, self.learner.networks),
            "average": self.average.weights,
            "optimizers": states,
        }
        progress = {"step": self.step, "examples": self._examples}
        write_checkpoint(self.folder / "checkpoints", self.step, progress, parts)

    # Going on

    def run(
        self,
        limits: Limits,
        advance: Callable[[int, int], None] = lambda done, of: None,
        draw_sheet: Callable[[Trainer[L]], None] | None = None,
    ) -> None:
        """Train until the recipe's steps or the minutes are over; a checkpoint stands at the end."""
        began = saved = time.monotonic()
        if self.step >= self.recipe.steps:
            return
        parts = batches(
            self._stream,
            self._collate,
            self._examples,
            self.recipe.batch,
            self.recipe.accumulate,
            self._rank,
            self._world,
            self.device,
            default_workers(self.device),
        )
        with self._log() as log:
            while self.step < self.recipe.steps:
                terms = self._one_step(parts)
                self.step += 1
                over = self._agreed(
                    limits.minutes is not None and time.monotonic() - began >= limits.minutes * 60
                )
                last = over or self.step == self.recipe.steps
                if log is not None and (last or self.step % limits.log_steps == 0):
                    log.add(self.step, self._told(terms))
                if self._rank == 0 and draw_sheet and (last or self.step % limits.sheet_steps == 0):
                    draw_sheet(self)
                due = limits.checkpoint_steps and self.step % limits.checkpoint_steps == 0
                if last or due or time.monotonic() - saved >= limits.checkpoint_minutes * 60:
                    self.save()
                    saved = time.monotonic()
                advance(self.step, self.recipe.steps)
                if over:
                    break

    @contextlib.contextmanager
    def _log(self) -> Iterator[Log | None]:
        if self._rank != 0:
            yield None
            return
        with Log(self.folder, self.step + 1) as log:
            yield log

    def _agreed(self, over: bool) -> bool:
        """Whether the time is over for every process: their clocks may differ by a step."""
        if self._world == 1:
            return over
        flag = torch.tensor([float(over)], device=self.device)
        dist.all_reduce(flag, dist.ReduceOp.MAX)
        return bool(flag.item())

    def _told(self, terms: dict[str, Tensor]) -> dict[str, float]:
        values = {name: float(value) for name, value in terms.items()}
        for name, value in values.items():
            if not value == value or value in (float("inf"), float("-inf")):
                raise KeywarpError(
                    f"the loss {name} is no number any more after step {self.step}; a lower learning_rate, or clip, "
                    "in the recipe keeps it in bounds"
                )
        return {**values, "learning_rate": self.recipe.learning_rate(self.step - 1)}

    def _one_step(self, parts: Iterator[Any]) -> dict[str, Tensor]:
        """Every turn once; the terms of the last repeat of each."""
        rate = self.recipe.learning_rate(self.step)
        told: dict[str, Tensor] = {}
        phase, _ = self.recipe.phase_at(self.step)
        for number, turn in enumerate(self.learner.turns):
            if turn.phases and phase.name not in turn.phases:
                continue
            self._let_learn(turn)
            for repeat in range(turn.repeats):
                words = (self._seed, self.step, number, repeat, self._rank)
                torch.manual_seed(int(np.random.SeedSequence(words).generate_state(1, np.uint32)[0]))
                told.update(self._update(turn, parts, rate, phase.losses))
        self.average.update(self.step)
        return told

    def _let_learn(self, turn: Turn) -> None:
        """Gradients for this turn's networks alone."""
        for name, network in self.learner.networks.items():
            network.requires_grad_(name in turn.networks)

    def _update(
        self, turn: Turn, parts: Iterator[Any], rate: float, factors: Mapping[str, float]
    ) -> dict[str, Tensor]:
        optimizer = self._optimizers[turn.name]
        optimizer.zero()
        told: dict[str, Tensor] = {}
        share = 1 / self.recipe.accumulate
        for _ in range(self.recipe.accumulate):
            with torch.autocast(self.device.type, dtype=self._low, enabled=self._low is not None):
                terms = self.learner.losses(turn.name, next(parts))
            terms = {name: term * factors.get(name, 1.0) for name, term in terms.items()}
            total = torch.stack([term.float() for term in terms.values()]).sum() * share
            total.backward()  # type: ignore[no-untyped-call]
            for name, term in terms.items():
                told[name] = told.get(name, torch.zeros_like(term)) + term.detach() * share
        self._examples += self.recipe.batch
        optimizer.step(rate)
        return told
