# SPDX-License-Identifier: GPL-3.0-or-later
"""``keywarp models``: what can be named by ``--model``."""

from __future__ import annotations

from keywarp.keyframes.errors import KeywarpError
from keywarp.plugin.cli.terminal import columns, say


def models() -> None:
    """List the models that can be used by name, and where they are looked for."""
    from keywarp.core.models.registry import installed_models, model_folders

    rows, faults = [], []
    for name, path, model in installed_models():
        if isinstance(model, KeywarpError):
            faults.append(f"{name}: {model}")
        else:
            info = model.info
            rows.append((name, info.form, info.space, f"{info.side}x{info.side}", str(path.parent)))
    if rows:
        columns([("NAME", "MODEL", "POSE SPACE", "SQUARE", "FOLDER"), *rows])
    else:
        say("no models are installed; a character's own folder of weights needs none")
    for fault in faults:
        say(f"unusable: {fault}")
    say("looked for in:")
    for folder in model_folders():
        say(f"  {folder}{'' if folder.is_dir() else ' (not there)'}")
