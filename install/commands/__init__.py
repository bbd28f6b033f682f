# SPDX-License-Identifier: GPL-3.0-or-later
"""The subcommands of ``run.py``: each module here is one, under the module's name.

A command module has a docstring (its first line is the help text), ``add_arguments(parser)`` and
``run_command(options) -> int``, which returns the exit status and raises ``SetupError`` with one sentence
for what the person at the keyboard can put right. A module that also takes arguments it does not
know sets ``PASSES_ON`` to what they are passed on to; it finds them in ``options.rest``.
"""
