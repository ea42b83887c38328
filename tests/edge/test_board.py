"""What the board says, read from a folder that holds a Pi's files and from a vcgencmd."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest
from mien import board


def put(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


PI = {"proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0"}


@pytest.fixture
def vcgencmd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A vcgencmd on the PATH that answers what stands in the file `says` beside it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    tool = folder / "vcgencmd"
    tool.write_text(f'#!/bin/sh\nexec cat "{folder}/$1"\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def test_a_pi_is_known_by_its_name(tmp_path: Path) -> None:
    root = put(tmp_path, PI)
    assert board.board_name(root) == "Raspberry Pi 5 Model B Rev 1.0"
    assert board.is_pi(root)
    assert not board.is_pi(put(tmp_path / "other", {"proc/device-tree/model": "Rock 5\0"}))


def test_what_a_machine_does_not_say_is_none(tmp_path: Path) -> None:
    output = (
        *(board.board_name(tmp_path), board.cpu_temperature(tmp_path), board.cpu_clock(tmp_path)),
        *(board.cpu_clock_limit(tmp_path), board.throttling(tmp_path), board.memory(tmp_path)),
    )
    assert output == (None,) * 6


def test_the_temperature_is_the_processors(tmp_path: Path) -> None:
    zones = {
        "sys/class/thermal/thermal_zone0/type": "acpitz\n",
        "sys/class/thermal/thermal_zone0/temp": "27800\n",
        "sys/class/thermal/thermal_zone1/type": "cpu-thermal\n",
        "sys/class/thermal/thermal_zone1/temp": "61234\n",
    }
    assert board.cpu_temperature(put(tmp_path, zones)) == 61.234
    (tmp_path / "sys/class/thermal/thermal_zone1/temp").write_text("not ready\n")
    assert board.cpu_temperature(tmp_path) == 27.8


def test_bits_are_spelled_out() -> None:
    found = board.Throttling.of(0x50005)
    assert found.now == ("under-voltage", "throttled")
    assert found.before == ("under-voltage", "throttled")
    found = board.Throttling.of(0xA0000)
    assert found.now == ()
    assert found.before == ("clock capped", "soft temperature limit")


def test_throttling_comes_from_sysfs(tmp_path: Path, vcgencmd: Path) -> None:
    (vcgencmd / "get_throttled").write_text("throttled=0x50000\n")
    root = put(tmp_path, {**PI, "sys/devices/platform/soc/soc:firmware/get_throttled": "1\n"})
    assert board.throttling(root) == board.Throttling(1, ("under-voltage",), ())


def test_throttling_comes_from_vcgencmd_else(tmp_path: Path, vcgencmd: Path) -> None:
    root = put(tmp_path, PI)
    assert board.throttling(root) is None  # it exists and fails
    (vcgencmd / "get_throttled").write_text("throttled=0x50000\n")
    found = board.throttling(root)
    assert found is not None
    assert found.before == ("under-voltage", "throttled")
    (vcgencmd / "get_throttled").write_text("VCHI initialization failed\n")
    assert board.throttling(root) is None


def test_the_clock_is_the_firmwares_on_a_pi(tmp_path: Path, vcgencmd: Path) -> None:
    cpu = "sys/devices/system/cpu/cpu0/cpufreq"
    files = {f"{cpu}/scaling_cur_freq": "2400000\n", f"{cpu}/cpuinfo_max_freq": "2400000\n"}
    root = put(tmp_path, {**PI, **files})
    assert board.cpu_clock(root) == 2400
    (vcgencmd / "measure_clock").write_text("frequency(0)=1500019456\n")
    assert board.cpu_clock(root) == pytest.approx(1500.02, abs=0.01)  # sysfs does not know it
    assert board.cpu_clock_limit(root) == 2400


def test_no_reading_raises_where_no_descriptor_is_left(tmp_path: Path) -> None:
    zone = "sys/class/thermal/thermal_zone0"
    root = put(tmp_path, {**PI, f"{zone}/type": "cpu-thermal\n", f"{zone}/temp": "61234\n"})
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
    try:
        readings = [board.cpu_temperature(root), board.throttling(root), board.cpu_clock(root)]
        readings += [board.cpu_clock_limit(root), board.board_name(root), board.memory(root)]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert readings == [None] * 6
    assert board.cpu_temperature(root) == 61.234


def test_memory_is_what_is_available(tmp_path: Path) -> None:
    text = "MemTotal:         437552 kB\nMemFree:           10000 kB\nMemAvailable:     201112 kB\n"
    found = board.memory(put(tmp_path, {"proc/meminfo": text}))
    assert found == board.Memory(437552 * 1024, 201112 * 1024)
