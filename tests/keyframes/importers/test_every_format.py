# SPDX-License-Identifier: GPL-3.0-or-later
"""All importers: files are known by their content, and bad ones end in one sentence."""

from __future__ import annotations

import random
import struct
import time
import tracemalloc
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.importers import FORMATS, load

SPACES = {"vmd": "mmd", "vrma": "vrm", "arkit-csv": "arkit52", "openface": "au17head"}
NAMES = [form.name for form in FORMATS]
MUTATIONS = 36


def test_content_decides_whatever_the_name(writers: Any, written: Callable[..., Path]) -> None:
    samples = writers.valid()
    assert sorted(samples) == sorted(NAMES)
    for name, data in samples.items():
        clip = load(written(data, "misleading.vmd")).clip
        assert clip.space == SPACES.get(name, "tha45"), name
        assert clip.curves and clip.end > clip.start
        assert np.all(np.isfinite(clip.sample(clip.frames())))


@pytest.mark.parametrize(
    "data", [b"", b"\0" * 100, b"hello\n", b"{}", b"<svg/>", b"a,b,c\n1,2,3\n", b"PK\3\4"]
)
def test_other_files_are_told_apart(data: bytes, written: Callable[..., Path]) -> None:
    with pytest.raises(KeywarpError, match=r"some\.file: (this is no file|the file is empty)"):
        load(written(data))


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.vmd", tmp_path):
        with pytest.raises(KeywarpError, match="cannot be read"):
            load(path)


def mutated(data: bytes, count: int) -> list[bytes]:
    """Cut, overwritten, inflated and poisoned variants of a file."""
    chance = random.Random(len(data))
    variants = [data[: len(data) * i // (count // 2)] for i in range(count // 2)]
    for i in range(count - len(variants)):
        changed = bytearray(data)
        for _ in range(chance.choice((1, 1, 3, 20))):
            at = chance.randrange(len(changed))
            if i % 3 == 0:
                changed[at] = chance.randrange(256)
            elif i % 3 == 1:
                huge = (
                    b"\xff\xff\xff\xff",
                    b"\xff\xff\xff\x7f",
                    struct.pack("<f", float("nan")),
                    b"99999999",
                )
                changed[at : at + 4] = chance.choice(huge)
            else:
                changed[at:at] = chance.choice((b"nan", b"-1e999", b"\0", b",,,,", b"[[[[", b"<<", b"\n"))
        variants.append(bytes(changed))
    return variants


@pytest.mark.parametrize("name", NAMES)
def test_damaged_files_end_in_one_sentence(name: str, writers: Any, written: Callable[..., Path]) -> None:
    """Over all formats 360 files: what is raised is a KeywarpError, quickly and with little memory."""
    refused = 0
    for data in mutated(writers.valid()[name], MUTATIONS):
        path = written(data)
        begin = time.process_time()
        tracemalloc.start()
        try:
            load(path)
        except KeywarpError as error:
            refused += 1
            assert "\n" not in str(error) and str(error).startswith(str(path)) and len(str(error)) < 500
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert time.process_time() - begin < 2.0
        assert peak < 64 * 2**20
    assert refused > MUTATIONS // 4


def test_deep_nesting_and_endless_numbers_are_refused(writers: Any, written: Callable[..., Path]) -> None:
    deep = b'{"mouthCues": ' + b"[" * 100_000
    digits = b'{"mouthCues": [{"start": ' + b"9" * 5000 + b', "value": "A"}]}'
    tree = writers.glb({"nodes": []}, b"").replace(b'"nodes": []', b'"nodes":[[]')
    for data in (deep, digits, tree):
        with pytest.raises(KeywarpError):
            load(written(data))


def test_xml_that_declares_entities_is_refused(written: Callable[..., Path]) -> None:
    bomb = b'<!DOCTYPE a [<!ENTITY b "cccc">]><rhubarbResult><mouthCues>&b;</mouthCues></rhubarbResult>'
    with pytest.raises(KeywarpError, match="entities"):
        load(written(bomb))
