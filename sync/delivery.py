"""What edge and centre say to each other about delivery, beside the events themselves."""

from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError

MAX_SEQ = 2**62
"""Beyond any sequence number that a box can reach, and within 64 bits."""
SEQUENCE = Annotated[int, Field(ge=0, le=MAX_SEQ)]


class _Statement(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def decode(cls, payload: bytes) -> Self | None:
        """Parse one message; None when it is not one."""
        try:
            return cls.model_validate_json(payload)
        except ValidationError:
            return None

    def encode(self) -> bytes:
        """Compact JSON."""
        return self.model_dump_json(exclude_defaults=True).encode()


class Ack(_Statement):
    """Centre to edge, on ``ack``, after a commit: of ``outbox`` everything up to ``through`` is held.

    It is a statement of state, sent again with every batch, duplicates included: losing one does no harm.
    ``renew``: the centre holds other events under these numbers (the box's file was rolled back or copied).
    """

    outbox: UUID
    through: SEQUENCE
    renew: bool = False


class Floor(_Statement):
    """Edge to centre, on ``outbox``: of ``outbox`` nothing before ``oldest`` can be sent any more.

    It is said when an ack shows that the centre waits for such events (a new, emptied or restored central database),
    so that they are recorded as a gap instead of waited for.
    """

    outbox: UUID
    oldest: Annotated[int, Field(ge=1, le=MAX_SEQ)]


class _Envelope(BaseModel):
    model_config = ConfigDict(extra="ignore")
    outboxid: UUID
    sequence: Annotated[str, Field(pattern=r"^[0-9]{20}$")]


def numbered(payload: bytes) -> tuple[UUID, int] | None:
    """Outbox and sequence of a payload that may be no valid event otherwise; None when they cannot be read."""
    try:
        envelope: Any = _Envelope.model_validate_json(payload)
    except ValidationError:
        return None
    seq = int(envelope.sequence)
    return (envelope.outboxid, seq) if 1 <= seq <= MAX_SEQ else None
