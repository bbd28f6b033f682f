# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading PyTorch checkpoints without PyTorch, and without executing anything that they contain.

A ``.pt``, ``.pth``, ``.pth.tar`` or ``.ckpt`` file of PyTorch 1.6 or later is a ZIP archive that holds one pickle and
the raw bytes of every tensor. A pickle is a program; the reader here runs it on a machine that
knows dictionaries, lists, numbers and tensors and refuses to look up anything else. Bytes are read last, and only of
the tensors that are wanted: two thirds of a training checkpoint belong to its optimisers.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Union

import numpy as np
import numpy.typing as npt

from keywarp.keyframes.errors import KeywarpError

Array = npt.NDArray[Any]
#: What a checkpoint holds: tensors by name, possibly in nested dictionaries.
Checkpoint = Mapping[str, Union[Array, "Checkpoint", Any]]

#: What files of PyTorch are called.
SUFFIXES = (".pt", ".pth", ".pth.tar", ".ckpt")
#: No published animation network comes near it; a file beyond is not read into memory.
MAX_BYTES = 4 << 30
#: The pickle holds names and shapes only; the largest published one has a few hundred kilobytes.
MAX_PICKLE_BYTES = 16 << 20

#: Packages whose objects are settings of a training run: names are known, and nothing of them is looked up.
_SETTINGS_OF = ("pytorch_lightning", "lightning", "argparse", "omegaconf", "typing", "pathlib")

_STORAGE_TYPES: Mapping[str, str] = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}


@dataclass(frozen=True)
class _StorageType:
    dtype: str


@dataclass(frozen=True)
class _Storage:
    """Bytes in the archive."""

    key: str
    dtype: str
    count: int


@dataclass(frozen=True)
class _Tensor:
    """A tensor that has not been read."""

    storage: _Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


class _Ignored:
    """Stands for an object that carries no weights, such as an optimiser's settings."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass

    def __setitem__(self, key: object, value: object) -> None:
        pass

    def append(self, value: object) -> None:
        pass


def _rebuild_parameter(data: _Tensor, *_: object) -> _Tensor:
    return data


def _rebuild_tensor(
    storage: _Storage, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: object
) -> _Tensor:
    return _Tensor(storage, offset, tuple(size), tuple(stride))


def _view(storage: Array, tensor: _Tensor) -> Array:
    """The part of a storage that a tensor's offset, size and stride name; not to be written to."""
    offset, size, stride = tensor.offset, tensor.size, tensor.stride
    if len(size) != len(stride) or min((offset, *size, *stride), default=0) < 0:
        raise pickle.UnpicklingError("a tensor's size, stride or offset is impossible")
    reach = offset + sum((n - 1) * step for n, step in zip(size, stride)) + 1
    if prod(size) == 0:
        return np.empty(size, storage.dtype)
    # Overlapping strides would let a few bytes on disk stand for a tensor of any size.
    if reach > storage.size or prod(size) > storage.size:
        raise pickle.UnpicklingError("a tensor reaches past its storage")
    if _contiguous(size, stride):
        return storage[offset:reach].reshape(size)
    steps = tuple(step * storage.itemsize for step in stride)
    return np.lib.stride_tricks.as_strided(storage[offset:], size, steps).copy()


def _contiguous(size: tuple[int, ...], stride: tuple[int, ...]) -> bool:
    """Whether the elements lie one after another (steps along axes of one element do not count)."""
    expected = 1
    for n, step in zip(reversed(size), reversed(stride)):
        if n != 1 and step != expected:
            return False
        expected *= n
    return True


class _TensorUnpickler(pickle.Unpickler):
    """Knows the handful of names that tensors are pickled with, and no other."""

    _KNOWN: Mapping[tuple[str, str], Callable[..., Any]] = {
        ("collections", "OrderedDict"): OrderedDict,
        ("collections", "defaultdict"): lambda *_: {},
        ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
        ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
        ("torch", "Size"): tuple,
    }

    def find_class(self, module: str, name: str) -> Any:
        if module in ("torch", "torch.storage") and name in _STORAGE_TYPES:
            return _StorageType(_STORAGE_TYPES[name])
        if (module, name) in self._KNOWN:
            return self._KNOWN[module, name]
        if module.split(".")[0] in _SETTINGS_OF:
            return _Ignored
        raise _ForeignCode(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> _Storage:
        kind, storage_type, key, _location, count = pid
        if kind != "storage" or not isinstance(storage_type, _StorageType):
            raise pickle.UnpicklingError("an unknown kind of stored object")
        return _Storage(str(key), storage_type.dtype, int(count))


class _ForeignCode(pickle.UnpicklingError):
    """The file asks for a function or class that tensors do not need."""


def read_checkpoint(path: Path, wanted: Callable[[str], bool] = lambda name: True) -> Checkpoint:
    """The dictionary that ``torch.save`` wrote to ``path``, with numpy arrays for tensors.

    Of its entries only those whose names are ``wanted``; the bytes of others are not read. float16 and bfloat16
    tensors come as float32, the others in their own type. Raises ``KeywarpError`` where the file is missing, damaged,
    of another kind, or would run code.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise KeywarpError(f"{path} is larger than {MAX_BYTES >> 30} GiB, too large for a checkpoint")
        with zipfile.ZipFile(path) as archive:
            return _read_archive(archive, wanted)
    except KeywarpError:
        raise
    except FileNotFoundError:
        raise KeywarpError(f"{path} does not exist; a PyTorch checkpoint was expected there") from None
    except _ForeignCode as error:
        raise KeywarpError(
            f"{path} was refused: it wants to call {error}, which weights do not need; "
            "it may be meant to harm, get the file from a source you trust"
        ) from None
    except zipfile.BadZipFile:
        raise KeywarpError(
            f"{path} is not a PyTorch checkpoint, or only part of one: "
            "expected the ZIP archive that torch.save writes since PyTorch 1.6"
        ) from None
    except OSError as error:
        raise KeywarpError(f"{path} cannot be read: {error.strerror or error}") from None
    except Exception as error:  # a pickle from outside can fail in any way at all
        raise KeywarpError(f"{path} is a damaged PyTorch checkpoint ({_first_line(error)})") from None


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:120]


def _read_archive(archive: zipfile.ZipFile, wanted: Callable[[str], bool]) -> Checkpoint:
    pickles = [name for name in archive.namelist() if name.split("/")[-1] == "data.pkl"]
    if len(pickles) != 1:
        raise zipfile.BadZipFile("no data.pkl")
    root = pickles[0][: -len("data.pkl")]
    if archive.getinfo(pickles[0]).file_size > MAX_PICKLE_BYTES:
        raise pickle.UnpicklingError("its index of tensors is implausibly large")
    program = archive.read(pickles[0])
    _check_memory(program)
    content = _TensorUnpickler(io.BytesIO(program)).load()
    if not isinstance(content, Mapping):
        raise pickle.UnpicklingError("it holds no dictionary of tensors")
    reader = _TensorReader(archive, root)
    return {name: reader.whole(value) for name, value in content.items() if wanted(str(name))}


def _check_memory(program: bytes) -> None:
    """Refuse a pickle that asks for more memory than it has bytes: what runs it makes room for any length, and for
    a memo up to any number, before it looks for what belongs there."""
    kept = 0
    for operation, argument, _ in pickletools.genops(program):  # raises where a length goes past the end
        if operation.name in ("PUT", "BINPUT", "LONG_BINPUT"):
            if not isinstance(argument, int) or argument > kept:  # picklers count from 0
                raise pickle.UnpicklingError(f"its memo leaps to {argument}")
            kept += 1


class _TensorReader:
    """Puts arrays in the place of tensors that have not been read."""

    def __init__(self, archive: zipfile.ZipFile, root: str) -> None:
        self._archive, self._root = archive, root
        self._total = 0
        self._storages: dict[str, Array] = {}
        self._done: dict[int, Any] = {}

    def whole(self, value: Any) -> Any:
        """``value`` with arrays in it; what occurs twice is made once."""
        if not isinstance(value, (_Tensor, Mapping, list, tuple)):
            return value
        if id(value) not in self._done:
            self._done[id(value)] = self._made(value)
        return self._done[id(value)]

    def _made(self, value: Any) -> Any:
        if isinstance(value, _Tensor):
            return _view(self._storage(value.storage), value)
        if isinstance(value, Mapping):
            return {name: self.whole(each) for name, each in value.items()}
        return type(value)(self.whole(each) for each in value)

    def _storage(self, storage: _Storage) -> Array:
        if storage.key not in self._storages:
            self._storages[storage.key] = self._read(storage)
        return self._storages[storage.key]

    def _read(self, storage: _Storage) -> Array:
        entry = self._archive.getinfo(f"{self._root}data/{storage.key}")
        dtype, count = storage.dtype, storage.count
        width = 2 if dtype == "bfloat16" else np.dtype(dtype).itemsize
        self._total += entry.file_size
        if entry.file_size < count * width or self._total > MAX_BYTES:
            raise pickle.UnpicklingError(f"tensor storage {storage.key} has the wrong size")
        raw = self._archive.read(entry)
        if dtype == "bfloat16":
            bits = np.frombuffer(raw, "<u2", count).astype(np.uint32) << 16
            return bits.view(np.float32)
        array = np.frombuffer(raw, dtype, count)
        return array.astype(np.float32) if dtype == "<f2" else array


def shapes(state: Checkpoint) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the tensors at the top level of ``state``: what a network is known by."""
    return {name: value.shape for name, value in state.items() if isinstance(value, np.ndarray)}
