# SPDX-License-Identifier: GPL-3.0-or-later
"""ONNX Runtime: which device there is, and sessions on it."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar

import onnxruntime as ort

from keywarp.core.opencv import cv2
from keywarp.core.runtime.graph import Graph
from keywarp.keyframes.errors import KeywarpError

Device = Literal["cpu", "cuda"]
CUDA_OPTIONS = {
    "use_tf32": "0",
    "cudnn_conv_algo_search": "HEURISTIC",
    # Another program (Blender, a game) may want the rest of the memory.
    "arena_extend_strategy": "kSameAsRequested",
}
_ERRORS = "onnxruntime.capi.onnxruntime_pybind11_state"
T = TypeVar("T")
R = TypeVar("R")


def worker_count() -> int:
    """Threads to compute with: ``$KEYWARP_THREADS``, or every core that this process may use."""
    chosen = os.environ.get("KEYWARP_THREADS", "")
    if chosen.isdigit() and int(chosen) > 0:
        return int(chosen)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def _workers() -> ThreadPoolExecutor:
    # Tiles are the unit of parallel work; a second level of threads inside OpenCV would fight it.
    cv2.setNumThreads(1)
    return ThreadPoolExecutor(worker_count(), thread_name_prefix="keywarp-tile")


def in_parallel(work: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """``[work(item) for item in items]`` on all cores; the order and the answers do not depend on their
    number."""
    return list(_workers().map(work, items))


@cache
def nvidia_device_count() -> int:
    """Devices that NVIDIA's driver offers; 0 where there is no driver."""
    name = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    count = ctypes.c_int(0)
    try:
        driver = ctypes.CDLL(name)
        if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
            return 0
    except (OSError, AttributeError):
        return 0
    return count.value


@cache
def cuda_available() -> bool:
    """Whether ONNX Runtime can really make a session on a CUDA device here."""
    # The driver is asked first, because ONNX Runtime writes to the terminal when its libraries are missing.
    if nvidia_device_count() == 0 or "CUDAExecutionProvider" not in ort.get_available_providers():
        return False
    ort.preload_dlls()
    graph = Graph("probe")
    graph.output("y", graph.op("Add", graph.input("x", [1]), 1.0), [1])
    options = ort.SessionOptions()
    options.log_severity_level = 4
    session = ort.InferenceSession(
        graph.build().SerializeToString(),
        options,
        providers=["CUDAExecutionProvider", "CPUExecutionProvider"],
    )
    return "CUDAExecutionProvider" in session.get_providers()


def choose_device(wanted: str = "auto") -> Device:
    """``auto``, ``cpu`` or ``cuda`` to what will be used; raises ``KeywarpError`` where ``cuda`` is not there."""
    if wanted == "cpu" or (wanted == "auto" and not cuda_available()):
        return "cpu"
    if wanted not in ("auto", "cuda"):
        raise KeywarpError(f"there is no device {wanted!r}; choose auto, cpu or cuda")
    if not cuda_available():
        raise KeywarpError(
            "ONNX Runtime finds no CUDA device here; install NVIDIA's driver and keywarp[cuda], or use --device cpu"
        )
    return "cuda"


@contextmanager
def running(what: str) -> Iterator[None]:
    """Says in one sentence that ``what`` failed while ONNX Runtime ran it: its errors have no common class."""
    try:
        yield
    except Exception as error:
        if type(error).__module__ != _ERRORS:
            raise
        reason = str(error).splitlines()[0]
        raise KeywarpError(f"{what} cannot be run by ONNX Runtime: {reason}") from error


def open_session(model: Path | bytes, device: Device = "cpu", threads: int = 1) -> ort.InferenceSession:
    """A session for the model (a file, or its content), with no silent change to another device.

    On CUDA every operator must have a kernel there; products are exact float32 (networks of sines multiply the
    error of shorter mantissas by 30 in every layer).
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Hosts, encoders and ResWarp compute beside it: threads that wait by spinning take the cores from them. Beside
    # one busy thread on two cores a 128x128 animator took 31 to 40 ms a frame without, 49 to 58 with; alone 27, 26.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    providers: list[Any] = ["CPUExecutionProvider"]
    if device == "cuda":
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        providers = [("CUDAExecutionProvider", CUDA_OPTIONS)]
    name = "the model" if isinstance(model, bytes) else str(model)
    try:
        session = ort.InferenceSession(
            model if isinstance(model, bytes) else str(model),
            options,
            providers=providers,
            enable_fallback=0,
        )
    except Exception as error:
        raise KeywarpError(f"{name} cannot be run by ONNX Runtime: {str(error).splitlines()[0]}") from None
    return session
