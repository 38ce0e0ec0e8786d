"""The outbox of the box: events stay in one SQLite file until the centre confirms that it holds them."""

from sync.outbox.file import OutboxDamaged, OutboxError, OutboxFull, Row
from sync.outbox.outbox import EventTooLarge, Outbox, OutboxStatus

__all__ = ["EventTooLarge", "Outbox", "OutboxDamaged", "OutboxError", "OutboxFull", "OutboxStatus", "Row"]
