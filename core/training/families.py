# SPDX-License-Identifier: GPL-3.0-or-later
"""The families that can be trained: those whose folder offers recipes and a learner."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from keywarp.core.models.registry import families
from keywarp.keyframes.errors import KeywarpError

if TYPE_CHECKING:
    import onnx

    from keywarp.core.training.learner import Learner
    from keywarp.core.training.losses import Perceptual
    from keywarp.core.training.recipe import Recipe


@runtime_checkable
class Trainable(Protocol):
    """What a family's ``FAMILY`` offers besides to be trained; the loop knows no more of it."""

    name: str
    recipes: Path
    """A YAML file of presets, each a ``Recipe`` without family and name."""

    def learner(self, recipe: Recipe, perceptual: Perceptual) -> Learner:
        """New networks with their losses; PyTorch is imported here, not with the family."""
        ...

    def export(self, recipe: Recipe, weights: Mapping[str, Any]) -> Mapping[str, onnx.ModelProto | bytes]:
        """The graphs of trained networks by file name (see ``core.models.exported``), and other files as they are;
        ``weights``: arrays by ``NETWORK.TENSOR``, of what the learner keeps."""
        ...


@runtime_checkable
class PartByPart(Trainable, Protocol):
    """A family whose networks are trained one at a time, and lie side by side in a model's folder."""

    def beside(self, recipe: Recipe, folder: Path) -> Mapping[str, bytes]:
        """The files of the other networks that the folder of an exported model holds; raises ``KeywarpError`` where
        they do not fit to those of the recipe."""
        ...

    def beginning(self, recipe: Recipe, folder: Path | None) -> Mapping[str, Any]:
        """Arrays by ``NETWORK.TENSOR`` with which a run begins, from a folder of weights; raises ``KeywarpError``
        where some that it cannot do without are missing."""
        ...

    def model_side(self, recipe: Recipe) -> int:
        """Pixels along a side of the whole model's square."""
        ...


def trainable(name: str) -> Trainable:
    """The family of this name; raises ``KeywarpError`` where there is none that can be trained."""
    known = {family.name: family for family in families() if isinstance(family, Trainable)}
    if name not in known:
        raise KeywarpError(
            f"there is no family {name!r} that can be trained; there are {', '.join(sorted(known))}"
        )
    return known[name]
