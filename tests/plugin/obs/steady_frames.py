# SPDX-License-Identifier: GPL-3.0-or-later
"""A script for OBS: a source that hands over frames as *Keywarp Character* does, as fast as OBS shows them.

Without an engine: so the handing over can be measured on machines that draw characters more slowly than OBS shows
them. Beside it, ``installed.txt`` names the folder of keywarp's installed script, and ``count.txt`` says how many
frames were handed over.
"""

import ctypes
import sys
import threading
from pathlib import Path

HERE = Path(__file__).parent
SIDE = 400
KIND = b"keywarp_test_frames"

sys.path.insert(0, (HERE / "installed.txt").read_text(encoding="utf-8"))
from keywarp.plugin.obs import structs  # noqa: E402
from keywarp.plugin.obs.frames import Output  # noqa: E402
from keywarp.plugin.obs.library import Library  # noqa: E402

sys.path.pop(0)


class Frame:
    """What ``Output.show`` reads of the engine's frames."""

    width, height, stride, intact = SIDE, SIDE, 4 * SIDE, True

    def __init__(self, shade):
        self.pixels = memoryview(bytearray(bytes((shade, 255 - shade, 90, 255)) * (SIDE * SIDE)))


class Source:
    """Two pictures in turn, while it is shown."""

    def __init__(self, library, source):
        self._library, self._source = library, source
        self._output = Output(library, source)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        frames, count = (Frame(40), Frame(200)), 0
        while not self._over.wait(1 / 30):
            if self._library.obs_source_showing(self._source):
                count += 1
                self._output.show(frames[count % 2])
                (HERE / "count.txt").write_text(str(count), encoding="ascii")

    def close(self):
        self._output.close()
        self._over.set()
        self._thread.join()


class Kind:
    """The type, which OBS keeps until it ends."""

    def __init__(self, library):
        self._library, self._sources = library, {}
        self._name = ctypes.create_string_buffer(b"Frames")
        self._info = structs.SourceInfo(
            KIND,
            structs.INPUT,
            structs.ASYNC_VIDEO,
            get_name=structs.GetName(lambda _: ctypes.addressof(self._name)),
            create=structs.Create(self._create),
            destroy=structs.Plain(lambda source: self._sources.pop(source).close()),
        )
        library.obs_register_source_s(ctypes.byref(self._info), ctypes.sizeof(self._info))

    def _create(self, _settings, source):
        self._sources[source] = Source(self._library, source)
        return source


def script_load(_settings):
    sys.keywarp_test_kind = Kind(Library())
