# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights, as arrays by network and name, into PyTorch modules."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from keywarp.core.models.checkpoint import Array
from keywarp.core.models.torch_weights import with_weights
from keywarp.core.models.tpsmm.layout import form_of
from keywarp.core.models.tpsmm.networks import Tpsmm


def networks_of(state: Mapping[str, Mapping[str, Array]]) -> Tpsmm:
    """The networks with these weights, in evaluation mode; the layout has been checked."""
    form = form_of({network: {k: np.shape(v) for k, v in each.items()} for network, each in state.items()})
    if form is None:
        raise ValueError("these are no weights of TPSMM")
    return with_weights(Tpsmm(form), state)
