"""JSON files of earlier commands, damaged or hostile."""

from __future__ import annotations

from pathlib import Path

import pytest
from mien.errors import UserError
from mien_train.json_file import read_json


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"[" * 100_000, b"\xff\xfe{}"])
def test_read_json_of_another_content_raises(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"run\.json"):
        read_json(path)


def test_read_json_without_a_file_gives_the_default_or_raises(tmp_path: Path) -> None:
    assert read_json(tmp_path / "run.json", {}) == {}
    with pytest.raises(UserError, match="There is no"):
        read_json(tmp_path / "run.json")
