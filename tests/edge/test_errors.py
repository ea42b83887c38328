"""Messages of errors: one printable line, whatever they quote."""

from __future__ import annotations

import pytest
from mien.errors import UserError


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("There is no grüße.jpg.", "There is no grüße.jpg."),
        ("a\x1b[31mred\x07", "a\\x1b[31mred\\x07"),
        ("two\nlines", "two\\nlines"),
        ("bad\udcff.mp4", "bad\\udcff.mp4"),
    ],
)
def test_a_message_is_one_printable_line(text: str, shown: str) -> None:
    assert str(UserError(text)) == shown
