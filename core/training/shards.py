# SPDX-License-Identifier: GPL-3.0-or-later
"""Tar shards of samples, as WebDataset names them: written whole or not at all, read anywhere without unpacking."""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from filelock import FileLock, Timeout

from keywarp.core.training.members import EXTENSIONS, MAX_MEMBER_BYTES, decode, encode
from keywarp.core.training.sample import Sample
from keywarp.keyframes.errors import KeywarpError

MAX_SAMPLES = 1 << 24
_UNFINISHED = ".unfinished"


class ShardWriter:
    """Writes samples to ``FOLDER/PREFIX-000000.tar`` and so on, continuing behind shards that are there.

    A shard appears under its name only when it is whole: what is written when a process dies is every shard
    before the last. ``written`` tells the keys that are there already, so that work can go on. A folder has one
    writer of a prefix at a time.
    """

    def __init__(self, folder: Path, prefix: str = "samples", per_shard: int = 500) -> None:
        """``per_shard``: samples in a shard; what a crash may lose.

        Raises ``KeywarpError`` while another process writes there.
        """
        self._folder, self._prefix, self._per_shard = folder, prefix, per_shard
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(folder / f".{prefix}.lock")
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise KeywarpError(
                f"another process is writing {prefix} into {folder}; wait for its end, or name another folder"
            ) from None
        for left_over in folder.glob(f"{prefix}-*.tar{_UNFINISHED}"):
            left_over.unlink(missing_ok=True)
        self.written: set[str] = {entry.key for path in shard_files([folder]) for entry in index_of(path)}
        numbers = [path.stem[len(prefix) + 1 :] for path in folder.glob(f"{prefix}-*.tar")]
        self._number = max((int(number) + 1 for number in numbers if number.isdigit()), default=0)
        self._tar: tarfile.TarFile | None = None
        self._count = 0

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        finally:
            self._lock.release()

    def add(self, sample: Sample) -> None:
        """Write one sample; raises ``KeywarpError`` where its key is there already."""
        if sample.key in self.written:
            raise KeywarpError(f"{self._folder} holds a sample {sample.key} already")
        if self._tar is None:
            self._tar = tarfile.open(self._unfinished, "w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115
        for extension, data in encode(sample).items():
            member = tarfile.TarInfo(f"{sample.key}.{extension}")
            member.size, member.mode = len(data), 0o644
            self._tar.addfile(member, BytesIO(data))
        self.written.add(sample.key)
        self._count += 1
        if self._count == self._per_shard:
            self.close()

    def close(self) -> None:
        """Finish the shard that is being written; further samples begin another."""
        if self._tar is None:
            return
        self._tar.close()
        self._unfinished.replace(self._path)
        self._tar, self._count = None, 0
        self._number += 1

    @property
    def _path(self) -> Path:
        return self._folder / f"{self._prefix}-{self._number:06d}.tar"

    @property
    def _unfinished(self) -> Path:
        return self._path.with_name(self._path.name + _UNFINISHED)


def shard_files(paths: Iterable[Path]) -> list[Path]:
    """The shards that are meant: ``.tar`` files, and folders of these, in the order of their names.

    Raises ``KeywarpError`` for a path that is neither.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(path.glob("*.tar"))
        elif path.is_file() and path.suffix == ".tar":
            found.append(path)
        else:
            raise KeywarpError(f"{path} is neither a shard (.tar) nor a folder of shards")
    return found


@dataclass(frozen=True)
class Entry:
    """Where a sample lies in a shard."""

    shard: Path
    key: str
    members: Mapping[str, tuple[int, int]]
    """Extension to (offset of the first byte, number of bytes)."""

    def read(self) -> Sample:
        """Raises ``KeywarpError`` where the shard has changed or is damaged."""
        try:
            with self.shard.open("rb") as file:
                content = {extension: _part(file, *at) for extension, at in self.members.items()}
        except OSError as error:
            raise KeywarpError(f"{self.shard} cannot be read: {error.strerror or error}") from None
        return decode(self.key, content, str(self.shard))


def _part(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    return file.read(size)


def index_of(path: Path) -> list[Entry]:
    """The samples of a shard, in its order, found from its headers alone.

    Raises ``KeywarpError`` for what is no uncompressed tar file, is cut off, or names a sample twice.
    """
    found: dict[str, dict[str, tuple[int, int]]] = {}
    size = path.stat().st_size
    try:
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                key, _, extension = Path(member.name).name.partition(".")
                if not member.isfile() or extension not in EXTENSIONS:
                    continue
                if member.size > MAX_MEMBER_BYTES or member.offset_data + member.size > size:
                    raise KeywarpError(f"{path}: {member.name} is cut off, or larger than any picture")
                if extension in found.setdefault(key, {}):
                    raise KeywarpError(f"{path} holds {member.name} twice")
                found[key][extension] = member.offset_data, member.size
                if len(found) > MAX_SAMPLES:
                    raise KeywarpError(f"{path} holds more than {MAX_SAMPLES} samples")
    except (tarfile.TarError, OSError) as error:
        raise KeywarpError(f"{path} is no whole, uncompressed tar file ({error})") from None
    return [Entry(path, key, members) for key, members in found.items()]


def read_shards(paths: Iterable[Path]) -> Iterator[Sample]:
    """Every sample, in stored order."""
    for path in shard_files(paths):
        for entry in index_of(path):
            yield entry.read()
