# SPDX-License-Identifier: GPL-3.0-or-later
"""Graphs that hand values to each other on a device, without a way through the host."""

from __future__ import annotations

import ctypes
import sys
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from keywarp.core.motion import FloatImage, Motion
from keywarp.core.runtime.session import Device, open_session, worker_count
from keywarp.keyframes.errors import KeywarpError

_TYPES = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8}


def to_device(array: npt.NDArray[Any], device: Device) -> ort.OrtValue:
    """A copy of ``array`` on the device (on the CPU: the same memory)."""
    with _explained(device):
        return ort.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array), device, 0)


@contextmanager
def _explained(device: Device) -> Iterator[None]:
    """ONNX Runtime's errors as one sentence; the usual one is that the memory of a GPU is full."""
    try:
        yield
    except Exception as error:
        raise KeywarpError(
            f"the device {device} failed ({str(error).splitlines()[0]}); a smaller --size needs less of its memory, "
            "--device cpu none"
        ) from None


def over_host(array: npt.NDArray[Any]) -> ort.OrtValue:
    """A contiguous array's own memory, as what a graph may write its output to."""
    if not array.flags.c_contiguous:
        raise ValueError("an output needs contiguous memory")
    return ort.OrtValue.ortvalue_from_numpy(array, "cpu", 0)


class DeviceGraph:
    """A graph of static shapes on a device; its inputs and outputs are bound, and stay where they are."""

    def __init__(self, model: Path | bytes, device: Device) -> None:
        self._device = device
        self._session = open_session(model, device, worker_count())
        self._binding = self._session.io_binding()
        with _explained(device):
            self.outputs = {
                out.name: ort.OrtValue.ortvalue_from_shape_and_type(out.shape, _TYPES[out.type], device, 0)
                for out in self._session.get_outputs()
            }
        for name, value in self.outputs.items():
            self._binding.bind_ortvalue_output(name, value)

    def bind(self, **values: ort.OrtValue) -> None:
        """Inputs from now on."""
        for name, value in values.items():
            self._binding.bind_ortvalue_input(name, value)

    def bind_output(self, name: str, value: ort.OrtValue) -> None:
        """Where an output goes from now on: host memory makes ``run`` end with a copy."""
        self.outputs[name] = value
        self._binding.bind_ortvalue_output(name, value)

    def run(self) -> None:
        """Fill the outputs; the next run writes to the same memory."""
        with _explained(self._device):
            self._session.run_with_iobinding(self._binding)
            self._binding.synchronize_outputs()


@dataclass(frozen=True)
class DeviceMotion:
    """A ``Motion`` that lies on a device, channels first: (1, 4, h, w), (1, 2, h, w), (1, 1, h, w)."""

    image: ort.OrtValue
    flow: ort.OrtValue
    painted: ort.OrtValue

    @classmethod
    def of(cls, motion: Motion, device: Device) -> DeviceMotion:
        planes = (motion.image, motion.flow, motion.painted)
        return cls(*(to_device(channels_first(x), device) for x in planes))

    def read(self) -> Motion:
        """A copy on the host."""
        return Motion(*(channels_last(x.numpy()) for x in (self.image, self.flow, self.painted)))


def channels_first(image: FloatImage) -> FloatImage:
    """(h, w, c) to (1, c, h, w)."""
    return np.ascontiguousarray(image.transpose(2, 0, 1)[None])


def channels_last(image: FloatImage) -> FloatImage:
    """(1, c, h, w) to (h, w, c), always a copy."""
    copy: FloatImage = image[0].transpose(1, 2, 0).copy()
    return copy


def page_locked(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """``array``, whose memory NVIDIA's driver may from now on write to directly, at several times the speed.

    Needs a CUDA session in this thread; where the driver refuses, nothing changes but the speed.
    """
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        address = ctypes.c_void_p(array.ctypes.data)
        if driver.cuMemHostRegister_v2(address, ctypes.c_size_t(array.nbytes), ctypes.c_uint(1)) == 0:
            # At the program's end the driver lets go of it by itself, perhaps earlier than this would be called.
            weakref.finalize(array, driver.cuMemHostUnregister, address).atexit = False
    except (OSError, AttributeError):
        pass
    return array
