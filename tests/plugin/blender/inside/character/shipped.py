# SPDX-License-Identifier: GPL-3.0-or-later
"""What comes with Keywarp, in a real Blender: the animator of any picture, and the demo character."""

from __future__ import annotations

import os

import bpy
import numpy as np
from pictures import add, live_values, render_settings, rendered

from keywarp.keyframes.spaces.tha45 import SPACE
from keywarp.plugin.blender.character.properties import channel_group
from keywarp.plugin.blender.setup import model_pack, preferences

SIDE = 256
SEEN = 8
"""Of 255: what somebody sees as a change."""


def installed():
    """The folder of the models that ship, unpacked as a user has them."""
    assert bpy.ops.keywarp.install_models(filepath=os.environ["KEYWARP_TEST_MODELS"]) == {"FINISHED"}
    return preferences.models_folder()


def still(thing):
    """Channels at whose end the character's live image is as it was."""
    thing.keywarp.preview_mode, thing.keywarp.preview_size = "FIXED", SIDE
    bpy.context.view_layer.update()
    rest = live_values(thing.keywarp.image)
    found = []
    for channel in SPACE.channels:
        group = channel_group(thing, channel.name)
        before = getattr(group, channel.name)
        setattr(group, channel.name, channel.minimum if before == channel.maximum else channel.maximum)
        bpy.context.view_layer.update()
        moved = np.abs(live_values(thing.keywarp.image) - rest).max()
        if moved < SEEN:
            found.append(channel.name)
        setattr(group, channel.name, before)
    assert thing.keywarp.message == ""
    return found


def assert_clear_around(frame):
    """That a render has the figure, and nothing around it."""
    alpha = frame[..., 3]
    assert alpha[0].max() == 0
    assert (alpha == 255).mean() > 0.1


def check_every_channel_moves_the_demo_character():
    thing = add(model_pack.demo(installed()))
    assert still(thing) == []
    render_settings("KEYWARP", (480, 270))
    assert_clear_around(rendered())


def check_every_channel_moves_a_picture_without_a_model():
    thing = add(installed() / "demo" / "character.png")
    assert thing.keywarp.model == ""
    assert still(thing) == []
    render_settings("KEYWARP", (480, 270))
    assert_clear_around(rendered())
