# SPDX-License-Identifier: GPL-3.0-or-later
"""Shards of samples: what is written is what is read, or nothing is."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest

from keywarp.core.training.sample import Sample
from keywarp.core.training.shards import ShardWriter, index_of, read_shards, shard_files
from keywarp.keyframes.errors import KeywarpError

from .samples import SPACE, sample


def written(folder: Path, count: int = 3, per_shard: int = 500) -> Path:
    with ShardWriter(folder, per_shard=per_shard) as writer:
        for number in range(count):
            writer.add(sample(number))
    return folder


def test_a_sample_comes_back_as_it_was(tmp_path: Path) -> None:
    given = sample(4, category="happy")
    with ShardWriter(tmp_path) as writer:
        writer.add(given)
    (found,) = read_shards([tmp_path])
    assert (found.key, found.identity, found.category, found.about) == (
        "sample-0004",
        "somebody1",
        "happy",
        {"style": "flat"},
    )
    assert np.array_equal(found.posed, given.posed)
    assert np.array_equal(found.rest, given.rest)
    assert np.allclose(found.poses[SPACE], given.poses[SPACE], atol=1e-6)
    assert np.abs(found.flow - given.flow).max() < 1e-4
    assert np.array_equal(found.visible, given.visible)
    assert np.array_equal(found.regions["mouth"], given.regions["mouth"])


def test_what_is_not_known_stays_unknown(tmp_path: Path) -> None:
    with ShardWriter(tmp_path) as writer:
        writer.add(Sample("a", "b", sample().posed))
    (found,) = read_shards([tmp_path])
    assert (found.rest, found.flow, found.visible, found.category) == (None, None, None, None)
    assert not found.poses
    assert not found.regions


def test_any_tar_program_reads_the_members_under_webdatasets_names(tmp_path: Path) -> None:
    with tarfile.open(written(tmp_path, 1) / "samples-000000.tar") as tar:
        names = tar.getnames()
        facts = json.load(tar.extractfile("sample-0000.json"))
        flow = np.load(io.BytesIO(tar.extractfile("sample-0000.flow.npy").read()))
    assert [name.split(".", 1)[0] for name in names] == ["sample-0000"] * 6
    assert {name.split(".", 1)[1] for name in names} == {
        *("json", "posed.png", "rest.png", "flow.npy", "visible.png", "mouth.png")
    }
    assert facts["identity"] == "somebody0"
    assert len(facts["poses"][SPACE]) == 22
    assert flow.dtype == np.float16


def test_shards_end_when_they_are_full_and_go_on_later(tmp_path: Path) -> None:
    written(tmp_path, 5, per_shard=2)
    assert [path.name for path in shard_files([tmp_path])] == [f"samples-00000{n}.tar" for n in range(3)]
    with ShardWriter(tmp_path, per_shard=2) as writer:
        assert writer.written == {f"sample-000{n}" for n in range(5)}
        writer.add(sample(7))
    assert [entry.key for entry in index_of(tmp_path / "samples-000003.tar")] == ["sample-0007"]
    assert len(list(read_shards([tmp_path]))) == 6


DIES = """
import os, sys
from pathlib import Path
from training.samples import sample
from keywarp.core.training.shards import ShardWriter
writer = ShardWriter(Path(sys.argv[1]), per_shard=2)
for number in range(3):
    writer.add(sample(number))
os._exit(0)
"""


def test_a_writer_that_dies_leaves_whole_shards_only(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    subprocess.run([sys.executable, "-c", DIES, str(tmp_path)], env=environment, check=True)
    assert [path.name for path in shard_files([tmp_path])] == ["samples-000000.tar"]
    again = ShardWriter(tmp_path, per_shard=2)
    assert again.written == {"sample-0000", "sample-0001"}
    again.add(sample(2))
    again.close()
    assert [s.key for s in read_shards([tmp_path])] == ["sample-0000", "sample-0001", "sample-0002"]


def test_a_folder_has_one_writer_at_a_time(tmp_path: Path) -> None:
    with ShardWriter(tmp_path) as writer:
        writer.add(sample(0))
        with pytest.raises(KeywarpError, match=f"another process is writing samples into {tmp_path}"):
            ShardWriter(tmp_path)
        with ShardWriter(tmp_path, "others") as other:
            other.add(sample(1))
    assert len(list(read_shards([tmp_path]))) == 2
    with ShardWriter(tmp_path) as writer:
        assert len(writer.written) == 2


def test_a_key_is_written_once(tmp_path: Path) -> None:
    with ShardWriter(tmp_path) as writer:
        writer.add(sample(0))
        with pytest.raises(KeywarpError, match="sample-0000 already"):
            writer.add(sample(0))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"key": "a.b"}, "no key"),
        ({"key": "../a"}, "no key"),
        ({"flow": np.zeros((8, 8, 2), np.float32)}, r"flow has the shape \(8, 8, 2\)"),
        ({"regions": {"nose": np.zeros((64, 64), np.float32)}}, "no region 'nose'"),
        ({"poses": {SPACE: np.zeros(3)}}, "22 values"),
        ({"poses": {"nothing": np.zeros(3)}}, "no pose space"),
    ],
)
def test_parts_that_do_not_fit_are_named(change: dict, said: str) -> None:
    with pytest.raises(KeywarpError, match=said):
        sample(**change)


def _changed(path: Path, name: str, data: bytes | None) -> None:
    """The shard with one member replaced or, with ``None``, left out."""
    with tarfile.open(path) as tar:
        members = [(member, tar.extractfile(member).read()) for member in tar]
    with tarfile.open(path, "w") as tar:
        for member, content in members:
            if member.name.endswith(name):
                if data is None:
                    continue
                content = data
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("json", None, "has no json"),
        ("posed.png", None, "has no posed.png"),
        ("json", b"{", "damaged"),
        ("json", b'{"keywarp": 9, "identity": "x"}', "keywarp: 1"),
        ("posed.png", b"GIF89a", "no PNG"),
        ("posed.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\1\0\0\0\1\0\0\x08\x06\0\0\0", "65536x65536 pixels"),
        ("flow.npy", b"\x93NUMPY\1\0", "damaged"),
        ("visible.png", b"\x89PNG\r\n\x1a\n", "damaged"),
    ],
)
def test_a_damaged_sample_is_named(tmp_path: Path, name: str, data: bytes | None, said: str) -> None:
    shard = written(tmp_path, 1) / "samples-000000.tar"
    _changed(shard, name, data)
    with pytest.raises(KeywarpError, match=said) as error:
        list(read_shards([tmp_path]))
    assert str(shard) in str(error.value)


def test_an_object_in_an_array_is_not_made(tmp_path: Path) -> None:
    shard = written(tmp_path, 1) / "samples-000000.tar"
    file = io.BytesIO()
    np.save(file, np.array([{}], object), allow_pickle=True)
    _changed(shard, "flow.npy", file.getvalue())
    with pytest.raises(KeywarpError, match="damaged"):
        list(read_shards([tmp_path]))


@pytest.mark.parametrize("kept", [0.5, 0.97])
def test_half_of_a_shard_is_refused(tmp_path: Path, kept: float) -> None:
    shard = written(tmp_path, 1) / "samples-000000.tar"
    size = (
        shard.stat().st_size
        if kept == 0.5
        else sum(at + length for at, length in [max(index_of(shard)[0].members.values())])
    )
    shard.write_bytes(shard.read_bytes()[: int(size * kept)])
    with pytest.raises(KeywarpError, match=r"samples-000000\.tar"):
        list(read_shards([tmp_path]))


def test_what_is_no_shard_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeywarpError, match="neither a shard"):
        shard_files([tmp_path / "nothing"])
    (tmp_path / "x.tar").write_bytes(b"not a tar file at all" * 100)
    with pytest.raises(KeywarpError, match="no whole, uncompressed tar"):
        list(read_shards([tmp_path]))
