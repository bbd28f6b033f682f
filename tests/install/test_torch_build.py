# SPDX-License-Identifier: GPL-3.0-or-later
"""No gigabytes of CUDA where no NVIDIA driver is."""

from __future__ import annotations

import ctypes
from typing import Any

import pytest

from install import torch_build
from install.torch_build import ANY_BUILD, CPU_BUILD, pip_arguments


class Driver:
    """Stands in for NVIDIA's library."""

    def __init__(self, status: int, devices: int) -> None:
        self.status, self.devices = status, devices

    def cuInit(self, flags: int) -> int:  # noqa: N802
        return self.status

    def cuDeviceGetCount(self, count: Any) -> int:  # noqa: N802
        count._obj.value = self.devices
        return 0


@pytest.mark.parametrize(
    ("driver", "there"), [(Driver(0, 1), True), (Driver(0, 0), False), (Driver(100, 1), False), (None, False)]
)
def test_a_driver_counts_when_it_has_a_device(
    monkeypatch: pytest.MonkeyPatch, driver: Driver | None, there: bool
) -> None:
    def load(name: str) -> Driver:
        if driver is None:
            raise OSError(name)
        return driver

    monkeypatch.setattr(ctypes, "CDLL", load)
    assert torch_build.has_nvidia() is there


def test_linux_asks_for_the_cpu_build_by_name() -> None:
    assert pip_arguments(False, "", "linux") == [CPU_BUILD]
    assert CPU_BUILD.endswith("+cpu")


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_elsewhere_the_default_build_has_no_cuda(platform: str) -> None:
    assert pip_arguments(False, "", platform) == [ANY_BUILD]


@pytest.mark.parametrize("platform", ["linux", "win32", "darwin"])
def test_cuda_and_an_index_are_taken_at_their_word(platform: str) -> None:
    assert pip_arguments(True, "", platform) == [ANY_BUILD]
    assert pip_arguments(False, "file:///index", platform) == [ANY_BUILD, "--index-url", "file:///index"]
