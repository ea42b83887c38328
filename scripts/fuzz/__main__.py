"""Fuzz campaign: mutated inputs for every file format and address that Mien reads.

    python scripts/fuzz                        # 10,000 mutants of each surface, hours
    python scripts/fuzz picture session --mutants 500
    python scripts/fuzz model --only 1234      # one mutant, in this process, with its traceback

A mutant passes if it is read, or refused by a UserError of one printable line, within 10 s of CPU
time and 600 MB; an address also must not show its password. Mutant K of a surface is the same on
every machine: it depends on --seed, the surface and K alone. Mutants run in child processes, so
that a crash of a native library is seen. The last line is one JSON document. Exit code 1 if a
mutant failed.
"""

from __future__ import annotations

import argparse
import json
import resource
import signal
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

from mien.errors import UserError
from surfaces import SURFACES, check_message, mutant

MUTANTS = 10_000
HANG_S = 10  # of CPU time
STALL_S = 60  # of wall time: a mutant that waits for something; other processes may be busy
MAX_MB = 600


def work(surface: str, seed: int, start: int, stop: int) -> None:
    """Read mutants start to stop, a line of JSON for each: the child's side."""
    make, read = SURFACES[surface]
    samples = make()
    with tempfile.TemporaryDirectory(prefix="mien-fuzz-") as folder:
        for number in range(start, stop):
            print(json.dumps({"begun": number}), flush=True)
            end = "read"
            # Their default action ends the process, inside a library too.
            signal.setitimer(signal.ITIMER_PROF, HANG_S)
            signal.alarm(STALL_S)
            try:
                read(mutant(surface, samples, seed, number), Path(folder))
            except UserError as error:
                end = "refused"
                try:
                    check_message(str(error))
                except AssertionError as wrong:
                    end = f"message: {wrong}"
            except BaseException as error:
                frame = traceback.extract_tb(error.__traceback__)[-1]
                end = f"{type(error).__name__} in {Path(frame.filename).name}:{frame.lineno}"
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.alarm(0)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
            if peak > MAX_MB:
                end = f"memory: {peak:.0f} MB"
            print(json.dumps({"end": end}), flush=True)
            if peak > MAX_MB:
                return  # the peak stays: the next mutant needs a new process


def campaign(surface: str, mutants: int, seed: int) -> dict[str, object]:
    """Run the mutants of a surface in child processes; return the counts and the failures."""
    counts = {"read": 0, "refused": 0}
    failures: dict[str, list[int]] = {}
    number = 0
    while number < mutants:
        command = [sys.executable, __file__, surface, "--seed", str(seed)]
        command += ["--mutants", str(mutants), "--work-from", str(number)]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as child:
            assert child.stdout
            begun = None
            for line in child.stdout:
                if not line.startswith("{"):
                    continue
                entry = json.loads(line)
                if "begun" in entry:
                    begun = number = entry["begun"]
                    continue
                if entry["end"] in counts:
                    counts[entry["end"]] += 1
                else:
                    failures.setdefault(entry["end"], []).append(number)
                begun, number = None, number + 1
                if sys.stderr.isatty():
                    print(f"\r\x1b[K{surface} {number} of {mutants}", end="", file=sys.stderr)
        if begun is not None:  # the child ended inside a mutant
            hang = child.returncode in (-signal.SIGALRM, -signal.SIGPROF)
            kind = "hang" if hang else f"exit {child.returncode}"
            failures.setdefault(kind, []).append(number)
            number += 1
        elif child.returncode:
            raise SystemExit(f"{surface}: the worker does not start: {' '.join(command)}")
    return {"mutants": mutants, **counts, "failed": failures}


def main() -> None:
    """Run the campaign; see the module."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("surfaces", nargs="*", metavar="SURFACE", help=", ".join(SURFACES))
    parser.add_argument("--mutants", type=int, default=MUTANTS, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work-from", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--only", type=int, metavar="K", help="read one mutant in this process")
    options = parser.parse_args()
    chosen = options.surfaces or list(SURFACES)
    if unknown := set(chosen) - set(SURFACES):
        parser.error(f"no such surface: {', '.join(sorted(unknown))}")
    if options.work_from is not None:
        work(chosen[0], options.seed, options.work_from, options.mutants)
        return
    if options.only is not None:
        make, read = SURFACES[chosen[0]]
        data = mutant(chosen[0], make(), options.seed, options.only)
        print(f"{len(data)} bytes: {data[:200]!r}")
        with tempfile.TemporaryDirectory() as folder:
            read(data, Path(folder))
        return
    found = {surface: campaign(surface, options.mutants, options.seed) for surface in chosen}
    for surface, result in found.items():
        failed = sum(map(len, result["failed"].values()))  # type: ignore[attr-defined]
        print(f"{surface}: {result['read']} read, {result['refused']} refused, {failed} failed")
        for kind, numbers in result["failed"].items():  # type: ignore[attr-defined]
            print(f"  {kind}: {', '.join(map(str, numbers[:8]))}")
    print(json.dumps(found))
    sys.exit(any(result["failed"] for result in found.values()))


if __name__ == "__main__":
    main()
