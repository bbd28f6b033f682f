# SPDX-License-Identifier: GPL-3.0-or-later
"""Checkpoints: the same numbers as PyTorch's own reader, and nothing executed."""

from __future__ import annotations

import io
import os
import pickle
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keywarp.core.models.checkpoint import read_checkpoint, shapes
from keywarp.core.models.registry import find_model
from keywarp.keyframes.errors import KeywarpError

torch = pytest.importorskip("torch")


def saved(path: Path, content: Any) -> Path:
    torch.save(content, path)
    return path


@pytest.mark.parametrize(
    "dtype", ["float32", "float64", "float16", "bfloat16", "int64", "int32", "uint8", "bool"]
)
def test_tensors_are_those_of_torch(tmp_path: Path, dtype: str) -> None:
    tensor = (torch.randn(3, 5, 2) * 20).abs().to(getattr(torch, dtype))
    found = read_checkpoint(saved(tmp_path / "x.pt", {"a": tensor, "deep": {"b": tensor[1]}}))
    wide = tensor.float() if dtype in ("float16", "bfloat16") else tensor
    np.testing.assert_array_equal(found["a"], wide.numpy())
    np.testing.assert_array_equal(found["deep"]["b"], wide[1].numpy())
    assert shapes(found) == {"a": (3, 5, 2)}


def test_strides_parameters_and_shared_storage(tmp_path: Path) -> None:
    base = torch.arange(24.0).reshape(4, 6)
    state = {"t": base.t(), "s": base[1:3, ::2], "p": torch.nn.Parameter(base), "e": torch.empty(0, 3)}
    found = read_checkpoint(saved(tmp_path / "x.pt", state))
    for name, tensor in state.items():
        np.testing.assert_array_equal(found[name], tensor.detach().numpy())


class Attack:
    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return os.mkdir, (str(self.trace),)


def test_code_is_refused_and_not_run(tmp_path: Path) -> None:
    trace = tmp_path / "was_here"
    path = saved(tmp_path / "evil.pt", {"a": Attack(trace), "weight": torch.zeros(2)})
    with pytest.raises(KeywarpError, match=r"refused.*mkdir"):
        read_checkpoint(path)
    assert not trace.exists()


def with_pickle(path: Path, program: bytes, data: bytes = b"\0" * 16) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", program)
        archive.writestr("x/data/0", data)
    return path


@pytest.mark.parametrize("module", ["builtins", "os", "torch.storage", "numpy", "keywarp.core"])
def test_no_name_but_the_known_is_looked_up(tmp_path: Path, module: str) -> None:
    program = b"\x80\x02c" + module.encode() + b"\neval\n(X\x03\x00\x00\x001+1tR."
    with pytest.raises(KeywarpError, match="refused"):
        read_checkpoint(with_pickle(tmp_path / "x.pt", program))


def test_a_few_bytes_cannot_stand_for_a_huge_tensor(tmp_path: Path) -> None:
    stream = io.BytesIO()

    class Liar(pickle.Pickler):
        def persistent_id(self, obj: Any) -> Any:
            return ("storage", torch.FloatStorage, "0", "cpu", 4) if obj == "its storage" else None

    class Tensor:
        def __init__(self, size: tuple[int, ...], stride: tuple[int, ...]) -> None:
            self.arguments = ("its storage", 0, size, stride)

        def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
            return torch._utils._rebuild_tensor_v2, (*self.arguments, False, {})

    for size, stride in (((1 << 40,), (0,)), ((1 << 20, 1 << 20), (0, 0)), ((8,), (1,)), ((2,), (-1,))):
        stream = io.BytesIO()
        Liar(stream, 2).dump({"a": Tensor(size, stride)})
        with pytest.raises(KeywarpError, match="damaged"):
            read_checkpoint(with_pickle(tmp_path / "x.pt", stream.getvalue()))


@pytest.mark.parametrize(
    "program",
    [
        b"\x80\x02}r\x00\x00\x00\x08.",  # LONG_BINPUT 2^27: two gigabytes of memo
        b"\x80\x02}p134217728\n.",
        b"\x80\x05\x96\x00\x00\x00\x00\x10\x00\x00\x00.",  # BYTEARRAY8 of 64 GiB
        b"\x80\x04\x8e\x00\x00\x00\x00\x10\x00\x00\x00.",
    ],
)
def test_a_few_bytes_cannot_ask_for_gigabytes(program: bytes, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "greedy.pt", "w") as archive:
        archive.writestr("archive/data.pkl", program)
    tracemalloc.start()
    with pytest.raises(KeywarpError, match="damaged PyTorch checkpoint"):
        read_checkpoint(tmp_path / "greedy.pt")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "weights.pt")
    with pytest.raises(KeywarpError, match="neither a folder nor a file"):
        find_model(tmp_path / "weights.pt")


def test_every_cut_and_flipped_byte_ends_in_a_sentence(tmp_path: Path, full: bool) -> None:
    whole = saved(tmp_path / "x.pt", {"weight": torch.zeros(64), "bias": torch.ones(3)}).read_bytes()
    random = np.random.default_rng(0)
    path = tmp_path / "y.pt"
    for i in range(2000 if full else 200):
        if i % 2:
            path.write_bytes(whole[: int(random.integers(0, len(whole)))])
        else:
            bent = bytearray(whole)
            for _ in range(int(random.integers(1, 8))):
                bent[int(random.integers(len(bent)))] = int(random.integers(256))
            path.write_bytes(bytes(bent))
        try:
            read_checkpoint(path)
        except KeywarpError as error:
            assert str(path) in str(error)
            assert "\n" not in str(error)


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"PK\x03\x04", b"\x80\x02}q\x00."])
def test_other_kinds_are_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.pt"
    path.write_bytes(content)
    with pytest.raises(KeywarpError, match="not a PyTorch checkpoint"):
        read_checkpoint(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeywarpError, match=r"nowhere\.pt does not exist"):
        read_checkpoint(tmp_path / "nowhere.pt")
