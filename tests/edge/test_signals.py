"""Signals: a flag while something is written, an end at once while something is waited for."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest
from mien.signals import ShutdownRequested, ShutdownSignal


def test_signals_are_handled_only_while_listening() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    stop = ShutdownSignal()
    with stop.listening():
        signal.raise_signal(signal.SIGTERM)  # between two frames: nothing is thrown
        assert stop.requested
        with pytest.raises(ShutdownRequested), stop.waiting():
            raise AssertionError("nothing may be waited for any more")
        # The next one acts as without mien: nobody has to kill -9.
        assert {number: signal.getsignal(number) for number in before} == before
    stop = ShutdownSignal()
    with stop.listening(), pytest.raises(ShutdownRequested), stop.waiting():
        signal.raise_signal(signal.SIGINT)
    assert {number: signal.getsignal(number) for number in before} == before


def test_nohup_is_respected() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        stop = ShutdownSignal()
        with stop.listening():
            signal.raise_signal(signal.SIGHUP)
        assert not stop.requested
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_signal_inside_a_lock_of_threadings_own_ends_the_wait_too() -> None:
    """As where it comes while a condition lets go of its lock: the `with` then cannot."""
    lock = threading.Lock()
    stop = ShutdownSignal()

    def interrupted() -> None:
        with stop.waiting(), lock:
            lock.release()
            signal.raise_signal(signal.SIGTERM)

    with stop.listening(), pytest.raises(ShutdownRequested):
        interrupted()


def test_other_runtime_errors_are_told() -> None:
    with pytest.raises(RuntimeError, match="something else"), ShutdownSignal().waiting():
        raise RuntimeError("something else")


@pytest.mark.parametrize(("name", "code", "said"), [("mien read x", 4, ""), ("other", 4, "end\n")])
def test_a_thread_inside_a_camera_does_not_hold_up_the_end(name: str, code: int, said: str) -> None:
    """Nor is the interpreter taken down around it, which ends in std::terminate."""
    program = f"""
import atexit, sys, threading, time
import mien.cli, mien.__main__
atexit.register(lambda: print("end", flush=True))
def main():
    threading.Thread(target=time.sleep, args=(60,), name={name!r}, daemon=True).start()
    print("all of it")
    sys.exit({code})
mien.cli.main = main
mien.__main__.main()
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=50
    )
    assert (done.returncode, done.stdout) == (code, "all of it\n" + said)
