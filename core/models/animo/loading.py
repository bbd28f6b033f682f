# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights, as arrays by network and name, into PyTorch modules."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from keywarp.core.models.animo.layout import form_of
from keywarp.core.models.animo.networks import AniMo
from keywarp.core.models.checkpoint import Array


def networks_of(state: Mapping[str, Mapping[str, Array]]) -> AniMo:
    """The networks with these weights, in evaluation mode; the layout has been checked."""
    form = form_of({network: {k: np.shape(v) for k, v in each.items()} for network, each in state.items()})
    if form is None:
        raise ValueError("these are no weights of AniMo")
    networks = AniMo(form)
    named = {f"{n}.{k}": torch.from_numpy(np.array(v)) for n, each in state.items() for k, v in each.items()}
    networks.load_state_dict(named)
    return networks.eval()
