# SPDX-License-Identifier: GPL-3.0-or-later
"""Set keywarp up and run it: ``python3 install/run.py demo CHARACTER``, ``python3 install/run.py test``.

This file must at least parse on any Python 3, so that an old one is told so in a sentence.
"""

import sys


def main() -> int:
    if sys.version_info < (3, 9):  # noqa: UP036  (the linter takes the oldest Python for granted)
        sys.stderr.write(
            "install/run.py: this is Python %d.%d; run it with Python 3.9 or later.\n" % sys.version_info[:2]  # noqa: UP031
        )
        return 2
    # The script's own folder would shadow modules of the standard library with our commands' names.
    from pathlib import Path

    sys.path[0] = str(Path(__file__).resolve().parents[1])
    from install.program import main as program

    return program(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
