# SPDX-License-Identifier: GPL-3.0-or-later
"""One optimiser a turn, averaged weights, and gradients shared between processes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch import distributed as dist

from keywarp.core.training.learner import Learning, Turn
from keywarp.core.training.recipe import Recipe


def named_parameters(learner: Learning, turn: Turn) -> dict[str, nn.Parameter]:
    """``NETWORK.TENSOR`` to parameter, of the networks that learn in a turn."""
    return {
        f"{network}.{name}": parameter
        for network in turn.networks
        for name, parameter in learner.networks[network].named_parameters()
    }


class TurnOptimizer:
    """Adam for one turn, with its states by the names of the parameters."""

    def __init__(self, recipe: Recipe, learner: Learning, turn: Turn) -> None:
        self._parameters = named_parameters(learner, turn)
        fused = all(p.is_cuda for p in self._parameters.values())
        self._adam = torch.optim.Adam(
            list(self._parameters.values()), lr=1.0, betas=recipe.betas, foreach=not fused, fused=fused
        )
        self._clip = recipe.clip

    def zero(self) -> None:
        self._adam.zero_grad(set_to_none=True)

    def step(self, rate: float) -> None:
        """One update with the gradients that have been collected, over all processes."""
        share_gradients(list(self._parameters.values()))
        if self._clip > 0:
            nn.utils.clip_grad_norm_(self._parameters.values(), self._clip)
        for group in self._adam.param_groups:
            group["lr"] = rate
        self._adam.step()

    def state(self) -> dict[str, Tensor]:
        """``NETWORK.TENSOR/exp_avg`` and so on to tensor."""
        return {
            f"{name}/{key}": value
            for name, parameter in self._parameters.items()
            for key, value in self._adam.state.get(parameter, {}).items()
        }

    def load(self, state: Mapping[str, Tensor]) -> None:
        for name, parameter in self._parameters.items():
            found = {key.split("/")[1]: value for key, value in state.items() if key.split("/")[0] == name}
            if found:
                # Adam counts its steps on the host, unless it is fused with the device's own work.
                on = parameter.device if self._adam.defaults["fused"] else torch.device("cpu")
                self._adam.state[parameter] = {
                    key: value.to(on).clone() if key == "step" else _laid_out(value, parameter)
                    for key, value in found.items()
                }


def _laid_out(value: Tensor, parameter: nn.Parameter) -> Tensor:
    """A copy that lies in memory as its parameter does, as in a run that was never stored."""
    return torch.empty_like(parameter).copy_(value)


def share_gradients(parameters: Sequence[nn.Parameter]) -> None:
    """The mean of every gradient over the processes of a data-parallel run, in one message."""
    if not dist.is_initialized() or dist.get_world_size() == 1:
        return
    for parameter in parameters:
        if (
            parameter.grad is None and parameter.requires_grad
        ):  # another process's share of the batch needed it
            parameter.grad = torch.zeros_like(parameter)
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([g.reshape(-1) for g in gradients])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    for gradient, part in zip(gradients, torch.split(flat, [g.numel() for g in gradients]), strict=True):
        gradient.copy_(part.view_as(gradient))


class Average:
    """Exponential moving averages of what a learner keeps."""

    def __init__(self, learner: Learning, decay: float) -> None:
        self._learner, self._decay = learner, decay
        self.weights = {
            name: value.detach().clone() for name, value in weights_of(learner, learner.kept).items()
        }

    def update(self, step: int) -> None:
        """After step number ``step``, counted from 0: in the beginning the average is short."""
        decay = min(self._decay, (1 + step) / (10 + step))
        with torch.no_grad():
            for name, value in weights_of(self._learner, self._learner.kept).items():
                if value.is_floating_point():
                    self.weights[name].lerp_(value, 1 - decay)
                else:
                    self.weights[name].copy_(value)


def weights_of(learner: Learning, networks: Iterable[str]) -> dict[str, Tensor]:
    """``NETWORK.TENSOR`` to tensor: parameters and buffers."""
    return {
        f"{network}.{name}": value
        for network in networks
        for name, value in learner.networks[network].state_dict().items()
    }
