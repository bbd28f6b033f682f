# SPDX-License-Identifier: GPL-3.0-or-later
"""Install Engine outside of Blender: real environments, made from a folder of wheels, and each way to fail."""

from __future__ import annotations

import ensurepip
import os
import shutil
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from keywarp.plugin.blender.setup import environment
from keywarp.plugin.blender.setup.environment import Installed, InstallError, Order
from keywarp.plugin.blender.setup.failures import explain, last_meaningful
from keywarp.plugin.blender.setup.installation import Installation, pip_step

ENGINE = {
    "keywarp/core/engine/__init__.py": "",
    "keywarp/core/engine/__main__.py": "print('engine')",
    "keywarp/core/engine/server.py": "",
    "keywarp/core/render/stage.py": "import helper_of_ours",
    "keywarp/core/runtime/session.py": "def choose_device(wanted):\n    return 'cpu'\n",
    "keywarp/keyframes/errors.py": "class KeywarpError(Exception):\n    pass\n",
}
"""The part of an engine that its self-test loads, so that an installation takes seconds."""


def write_wheel(folder: Path, name: str, files: dict[str, str], needs: tuple[str, ...] = ()) -> Path:
    """A wheel that pip installs."""
    folder.mkdir(exist_ok=True)
    info = f"{name}-1.2.3.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2.3\n"
    metadata += "".join(f"Requires-Dist: {need}\n" for need in needs)
    tags = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    inside = {**files, f"{info}/METADATA": metadata, f"{info}/WHEEL": tags}
    record = "".join(f"{each},,\n" for each in [*inside, f"{info}/RECORD"])
    path = folder / f"{name}-1.2.3-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as file:
        for each, text in {**inside, f"{info}/RECORD": record}.items():
            file.writestr(each, text)
    return path


@pytest.fixture
def order(tmp_path: Path) -> Order:
    """An order that can be carried out without any network."""
    wheels = tmp_path / "wheels"
    write_wheel(wheels, "helper_of_ours", {"helper_of_ours.py": ""})
    wheel = write_wheel(tmp_path / "bundled", "keywarp", ENGINE, ("helper_of_ours",))
    python = Path(os.path.realpath(sys.executable))
    return Order(tmp_path / "engine", python, wheel, "cpu", wheels, online=False)


def carried_out(order: Order) -> Installation:
    run = Installation(order)
    run.start()
    run.wait(600)
    assert not run.running
    return run


def folders(order: Order) -> list[str]:
    return sorted(path.name for path in order.root.glob("v-*"))


@pytest.mark.slow
def test_it_makes_an_environment_that_starts(order: Order) -> None:
    run = carried_out(order)
    assert run.error == ""
    dotted = "{}.{}".format(*sys.version_info)
    assert (
        run.result
        == environment.installed(order.root)
        == Installed(folders(order)[0], "1.2.3", dotted, False)
    )
    command = environment.engine_command(order.root)
    assert command is not None
    clean = environment.clean_environment(dict(os.environ))
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=clean)
    assert done.stdout == "engine\n"
    assert run.progress == 1.0
    log = run.log.read_text()
    assert "Installing collected packages: helper_of_ours, keywarp" in log and log.endswith("finished\n")
    assert not (order.root / folders(order)[0] / "scratch").exists()


def without_ensurepip(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python as some systems hand it out: ``venv`` fails at putting pip in."""
    original = environment.venv_commands

    def commands(order: Order, folder: Path) -> list[list[str]]:
        missing = [str(order.python), "-I", "-c", "raise SystemExit('No module named ensurepip')"]
        return [missing, original(order, folder)[1]]

    monkeypatch.setattr(environment, "venv_commands", commands)


def test_pip_comes_from_the_folder_of_wheels_where_python_has_none(
    order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_ensurepip(monkeypatch)
    assert order.wheels_folder is not None
    bundled = sorted((Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl"))
    if not bundled:
        pytest.skip("this Python keeps pip's wheel elsewhere")
    shutil.copy(bundled[-1], order.wheels_folder)
    run = carried_out(order)
    assert run.error == "" and run.result is not None


def test_python_without_ensurepip_is_said(order: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    without_ensurepip(monkeypatch)
    said = refusal(order)
    assert "comes without Python's packages venv and ensurepip" in said and "pip's own wheel" in said


@pytest.mark.slow
def test_the_engine_in_use_stays_until_another_is_whole(order: Order) -> None:
    (order.root / "v-0123").mkdir(parents=True)  # as an interrupted installation leaves it
    first = carried_out(order).result
    assert first is not None and folders(order) == [first.folder]
    second = carried_out(order).result
    assert second is not None and second.folder != first.folder
    assert folders(order) == [second.folder]
    assert order.wheels_folder is not None
    next(order.wheels_folder.glob("helper*")).unlink()
    write_wheel(order.wheels_folder, "other", {})
    run = carried_out(order)
    assert run.result is None
    assert run.error.startswith(f"{order.wheels_folder} holds no wheel of helper_of_ours that suits ")
    assert run.log.read_text().endswith(f"failed: {run.error}\n")
    assert environment.installed(order.root) == second and folders(order) == [second.folder]
    environment.remove(order.root)
    assert [path.name for path in order.root.iterdir()] == [environment.LOG]
    assert environment.engine_command(order.root) is None


def test_an_engine_whose_python_has_gone_is_no_engine(tmp_path: Path) -> None:
    python = environment.python_of(tmp_path / "v-0001")
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    environment.put_in_use(tmp_path, Installed("v-0001", "1.2.3", "3.11", False))
    assert environment.installed(tmp_path) is not None
    python.unlink()
    python.symlink_to(tmp_path / "an older Blender" / "python")
    assert environment.installed(tmp_path) is None


@pytest.mark.slow
def test_an_engine_that_does_not_load_is_not_taken_into_use(order: Order) -> None:
    broken = {**ENGINE, "keywarp/core/render/stage.py": "raise RuntimeError('the picture is upside down')"}
    wheel = write_wheel(order.wheel.parent, "keywarp", broken, ("helper_of_ours",))
    run = carried_out(replace(order, wheel=wheel))
    assert run.error == "the engine's test failed: RuntimeError: the picture is upside down"
    assert environment.installed(order.root) is None and folders(order) == []


@pytest.mark.slow
def test_a_device_that_is_not_there_is_named(order: Order) -> None:
    files = dict(ENGINE)
    files["keywarp/core/runtime/session.py"] = (
        "from keywarp.keyframes.errors import KeywarpError\n"
        "def choose_device(wanted):\n"
        "    raise KeywarpError('ONNX Runtime finds no CUDA device here; install its driver')\n"
    )
    wheel = write_wheel(order.wheel.parent, "keywarp", files, ("helper_of_ours",))
    run = carried_out(replace(order, wheel=wheel, device="cuda"))
    # A wheel without the extra is installed with a warning by pip, so only the driver is missing here.
    assert run.error.startswith("NVIDIA's driver is missing or too old")


def test_cancelling_leaves_nothing(order: Order) -> None:
    run = Installation(order)
    run.start()
    while run.progress < 0.03:
        time.sleep(0.01)
    run.cancel()
    run.wait(600)
    assert not run.running and run.cancelled
    assert run.error == "cancelled" and run.result is None
    assert folders(order) == [] and environment.installed(order.root) is None
    assert run.log.read_text().endswith("cancelled\n")


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"folder": "../x", "version": "", "python": "", "cuda": false}']
)
def test_a_damaged_record_is_no_engine(tmp_path: Path, text: str) -> None:
    (tmp_path / environment.POINTER).write_text(text)
    assert environment.installed(tmp_path) is None


def refusal(order: Order) -> str:
    run = carried_out(order)
    assert run.result is None and folders(order) == []
    return run.error


def test_online_access_that_is_off_is_said(order: Order) -> None:
    assert "Allow Online Access" in refusal(replace(order, wheels_folder=None))


def test_a_folder_of_wheels_that_is_missing_or_empty_is_said(order: Order, tmp_path: Path) -> None:
    assert "there is no folder" in refusal(replace(order, wheels_folder=tmp_path / "nowhere"))
    assert "holds no wheels" in refusal(replace(order, wheels_folder=tmp_path))


def test_a_full_disk_is_said_before(order: Order) -> None:
    with pytest.raises(InstallError, match=r"has 0\.5 GB free and the engine needs 2\.0 GB"):
        environment.check_space(500_000_000, order)
    with pytest.raises(InstallError, match=r"needs 7\.5 GB"):
        environment.check_space(5_000_000_000, replace(order, device="cuda"))


@pytest.mark.parametrize("name", ["no/such/python", "/etc/hosts"])
def test_a_program_that_is_no_python_is_said(order: Order, name: str) -> None:
    assert refusal(replace(order, python=Path(name))).startswith(f"{Path(name)} does not start as a Python")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ('[[3, 9], "CPython", 64, false]', "is Python 3.9: the engine needs 3.11, 3.12, 3.13 or 3.14"),
        ('[[3, 15], "CPython", 64, false]', "is Python 3.15"),
        ('[[3, 11], "PyPy", 64, false]', "is not the usual 64-bit CPython"),
        ('[[3, 11], "CPython", 32, false]', "is not the usual 64-bit CPython"),
        ('[[3, 14], "CPython", 64, true]', "is not the usual 64-bit CPython"),
    ],
)
def test_a_python_that_does_not_suit_is_said(order: Order, answer: str, said: str) -> None:
    with pytest.raises(InstallError, match=said):
        environment.check_python(order, 0, answer)


@pytest.mark.slow
def test_an_unreachable_index_is_said(order: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    said = refusal(replace(order, wheels_folder=None, online=True))
    assert said.startswith("the package server was not reached")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("OSError: [Errno 28] No space left on device", "the disk of"),
        ("ERROR: [WinError 112] There is not enough space on the disk", "the disk of"),
        ("OSError: [WinError 225] Operation did not complete successfully", "an antivirus program"),
        ("ERROR: Could not install packages due to an OSError: [WinError 5] Access is denied", "a file in"),
        ("PermissionError: [Errno 13] Permission denied: 'lib'", "a file in"),
        (
            "SSLError(SSLCertVerificationError(1, 'CERTIFICATE_VERIFY_FAILED'))",
            "the package server's certificate",
        ),
        ("ProxyError('Cannot connect to proxy.', OSError('407'))", "the network's proxy"),
        ("socket.gaierror: [Errno 11001] getaddrinfo failed", "the package server was not reached"),
        ("No module named ensurepip", "comes without Python's packages venv and ensurepip"),
        (
            "ImportError: DLL load failed while importing onnxruntime_pybind11_state",
            "a library of the system",
        ),
        ("ERROR: No matching distribution found for av>=18", "there is no package av"),
    ],
)
def test_what_goes_wrong_is_said_in_words(order: Order, line: str, said: str) -> None:
    answer = explain(replace(order, wheels_folder=None), "installing", ["Collecting numpy", line])
    assert said in answer
    assert "\n" not in answer


def test_a_network_that_is_down_is_not_taken_for_a_missing_package(order: Order) -> None:
    lines = [
        "WARNING: Retrying after connection broken by 'NewConnectionError(... Network is unreachable'",
        "ERROR: No matching distribution found for numpy>=1.26",
    ]
    assert "was not reached" in explain(replace(order, wheels_folder=None), "installing", lines)


def test_an_index_that_knows_nothing_at_all_is_told_from_a_python_without_packages(order: Order) -> None:
    online = replace(order, wheels_folder=None)
    none = [
        "ERROR: Could not find a version that satisfies the requirement av>=18 (from versions: none)",
        "ERROR: No matching distribution found for av>=18",
    ]
    assert explain(online, "x", none).startswith("pip finds no package av at all")
    some = [none[0].replace("none", "10.0.0, 11.0.0"), none[1]]
    assert explain(online, "x", some).startswith("there is no package av for ")


def test_other_errors_are_shown_as_pip_says_them() -> None:
    lines = ["Collecting numpy", "ERROR: the moon is full.", "WARNING: a new pip is there", ""]
    assert last_meaningful(lines) == "the moon is full"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "Collecting opencv-python-headless>=4.9 (from keywarp)",
            ("Collecting opencv-python-headless", "collect"),
        ),
        ("Processing /wheels/numpy-2.4.1-cp311-cp311-linux_x86_64.whl", ("Collecting numpy", "collect")),
        ("  Downloading av-18.0-cp311-win_amd64.whl (31.2 MB)", ("Downloading av (31.2 MB)", "download")),
        ("Installing collected packages: a, b", ("Unpacking the packages", "install")),
        ("Looking in links: /wheels", None),
    ],
)
def test_the_steps_are_read_from_pips_output(line: str, said: tuple[str, str] | None) -> None:
    assert pip_step(line) == said


def test_nvidias_libraries_come_only_where_they_are_of_use(
    order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    for driver, device, wanted in [
        (False, "auto", False),
        (True, "auto", True),
        (True, "cpu", False),
        (False, "cuda", True),
    ]:
        monkeypatch.setattr(environment, "has_nvidia", lambda driver=driver: driver)
        command = environment.pip_command(replace(order, device=device), Path("x"))
        assert command[-1].endswith("[cuda]") is wanted


def test_the_microphone_comes_where_its_wheel_can_be_had(order: Order) -> None:
    assert order.wheels_folder is not None
    assert environment.pip_command(order, Path("x"))[-1] == str(order.wheel)
    online = environment.pip_command(replace(order, wheels_folder=None), Path("x"))
    write_wheel(order.wheels_folder, "sounddevice", {})
    for command in (online, environment.pip_command(order, Path("x"))):
        assert command[-1] == f"{order.wheel}[microphone]"


def test_pip_keeps_its_settings_and_python_is_led_nowhere(tmp_path: Path) -> None:
    base = {"PIP_INDEX_URL": "u", "PIP_TARGET": "t", "PYTHONPATH": "p", "PYTHONHOME": "h", "HOME": "/h"}
    clean = environment.clean_environment(base, tmp_path)
    assert clean["PIP_INDEX_URL"] == "u" and clean["HOME"] == "/h" and clean["TMPDIR"] == str(tmp_path)
    assert not clean.keys() & {"PIP_TARGET", "PYTHONPATH", "PYTHONHOME"}
