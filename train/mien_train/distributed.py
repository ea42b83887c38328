"""Trains one model over several machines at once: keras.distribution under JAX.

KERAS_BACKEND=jax mien-train fit DATA --run RUN --hosts pc1:7000,pc2:7000 --host-index 0    # on pc1
KERAS_BACKEND=jax mien-train fit DATA --run RUN --hosts pc1:7000,pc2:7000 --host-index 1    # on pc2

Every host reads the data, and of every batch its share; gradients are averaged, so that all end
with the same weights, those of one machine with the same batch. The first host alone writes RUN.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mien.errors import UserError
from mien.file_lock import locked


@dataclass(frozen=True)
class Hosts:
    """The machines of one training, and which of them this is."""

    addresses: tuple[str, ...]  # "name:port"; the first one is where all of them meet
    index: int

    def require_divisible(self, batch: int) -> None:
        """Raise UserError where a batch cannot be shared evenly."""
        if batch % len(self.addresses):
            raise UserError(
                f"a batch of {batch} cannot be shared by {len(self.addresses)} hosts: "
                "give a --batch that is a multiple."
            )


def parse_hosts(hosts: str | None, index: int | None) -> Hosts | None:
    """Parse --hosts and --host-index; None where this machine trains alone.

    Raises UserError where they do not fit each other or the backend.
    """
    if hosts is None and index is None:
        return None
    addresses = tuple((hosts or "").split(","))
    if len(addresses) < 2 or not all(re.fullmatch(r"[^\s:]+:\d+", a) for a in addresses):
        raise UserError(
            "--hosts names every machine with a port, such as --hosts pc1:7000,pc2:7000: "
            "correct it, the same on all of them."
        )
    if index is None or not 0 <= index < len(addresses):
        raise UserError(
            f"--host-index must be this machine's place in --hosts: 0 to {len(addresses) - 1}."
        )
    if os.environ.get("KERAS_BACKEND") != "jax":
        raise UserError("several hosts train under JAX only: set KERAS_BACKEND=jax on each.")
    if importlib.util.find_spec("jax") is None:
        raise UserError("JAX is not installed: pip install 'mien[train,jax]'.")
    return Hosts(addresses, index)


def initialize(hosts: Hosts, seed: int) -> None:
    """Connect the hosts and shard every batch from now on; call before anything is computed.

    Waits for all of them, five minutes at most. Raises UserError where they do not come.
    """
    import keras

    keras.utils.set_random_seed(seed)  # else Keras draws one, and the first weights with it
    try:
        keras.distribution.initialize(",".join(hosts.addresses), len(hosts.addresses), hosts.index)
    except (RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0][:200]
        raise UserError(
            f"the hosts {', '.join(hosts.addresses)} did not meet ({reason}): start the same "
            "command on each, with its own --host-index, and let the first one's port through."
        ) from error
    keras.distribution.set_distribution(keras.distribution.DataParallel(auto_shard_dataset=False))


def process_index_and_count() -> tuple[int, int]:
    """This host's index and the number of hosts; (0, 1) on a single machine."""
    import keras

    if keras.backend.backend() != "jax" or keras.distribution.distribution() is None:
        return 0, 1
    import jax

    return jax.process_index(), jax.process_count()


def local_shard(batch: np.ndarray) -> np.ndarray:
    """This host's part of a batch [n, ...]; the parts of all, in their order, are the batch."""
    index, count = process_index_and_count()
    return batch[index * len(batch) // count : (index + 1) * len(batch) // count]


def require_identical(what: dict[str, object]) -> None:
    """Raise UserError, on every host, where they do not agree about what JSON can hold.

    Hosts with other images or another recipe would train on, and nobody would see it.
    """
    if process_index_and_count()[1] == 1:
        return
    from jax.experimental import multihost_utils

    keys = sorted(what)
    texts = [json.dumps(what[key], sort_keys=True).encode() for key in keys]
    mine = np.frombuffer(b"".join(hashlib.sha256(text).digest() for text in texts), np.uint8)
    everyone = np.asarray(multihost_utils.process_allgather(mine)).reshape(-1, len(keys), 32)
    differing = [keys[k] for k in range(len(keys)) if (everyone[:, k] != everyone[0, k]).any()]
    if differing:
        raise UserError(
            f"the hosts differ in {', '.join(differing)}: give all the same data and options."
        )


@contextmanager
def run_folder(run: Path, state_files: tuple[str, ...]) -> Iterator[Path]:
    """RUN on the first host; on the others a copy that is thrown away.

    The others start from what the first one has of `state_files` (patterns), so that --resume
    needs neither a shared disk nor a copy.
    """
    index, count = process_index_and_count()
    if count == 1:
        run.parent.mkdir(parents=True, exist_ok=True)
        with locked(run):  # two trainings would overwrite each other's state
            yield run
        return
    from jax.experimental import multihost_utils

    def broadcast(data: bytes | None) -> bytes:
        """The first host's bytes, on every host."""
        size = int(multihost_utils.broadcast_one_to_all(np.array(len(data or b""), np.int64)))
        given = np.frombuffer(data, np.uint8) if index == 0 and data else np.zeros(size, np.uint8)
        return np.asarray(multihost_utils.broadcast_one_to_all(given), np.uint8).tobytes()

    files = sorted(f for pattern in state_files for f in run.glob(pattern)) if index == 0 else []
    names = json.loads(broadcast(json.dumps([file.name for file in files]).encode()))
    with tempfile.TemporaryDirectory(prefix="mien-train-") as other:
        folder = run if index == 0 else Path(other)
        for k, name in enumerate(names):
            data = broadcast(files[k].read_bytes() if index == 0 else None)
            if index:
                (folder / name).write_bytes(data)
        yield folder


def weights_digest(model: Any) -> str:
    """SHA-256 (hex) of a Keras model's weights, to compare hosts by."""
    found = hashlib.sha256()
    for value in model.get_weights():
        found.update(np.ascontiguousarray(value).tobytes())
    return found.hexdigest()


def log_host(sentence: str) -> None:
    """Print on stderr with the host's index; nothing on a single machine."""
    index, count = process_index_and_count()
    if count > 1:
        print(f"host {index} of {count}: {sentence}", file=sys.stderr)
