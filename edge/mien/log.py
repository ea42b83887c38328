"""A sentence that is an event as well, so that who searches a log need not read sentences."""

from __future__ import annotations


class Said(str):
    """A sentence with the name of its event and what belongs to it; elsewhere an ordinary str.

    The journal has them as fields: `Said("usb:0 is lost.", "lost", source="usb:0")` is found by
    `journalctl MIEN_EVENT=lost`, with MIEN_SOURCE=usb:0 beside it. docs/service.md has a list.
    """

    event: str
    fields: dict[str, object]

    def __new__(cls, sentence: str, event: str, **fields: object) -> Said:
        """Make one; the names of `fields` are written in capitals after `MIEN_`."""
        said = super().__new__(cls, sentence)
        said.event, said.fields = event, fields
        return said
