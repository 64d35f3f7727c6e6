"""Idempotency: the caller's own id for a thing, so that a request sent twice creates it once."""

from dataclasses import dataclass

from billing.domain.errors import ExternalIdReusedError
from billing.domain.ids import ResourceName


@dataclass(frozen=True, slots=True)
class IdempotencyRecord:
    """
    The record of an external id: the id of the thing, and the fingerprint of its request.

    `name` is the whole name of the thing; version 1.0 did not keep it. `withdrawn` says that the
    thing, which can be deleted, is gone.
    """

    id: str
    fingerprint: str
    name: ResourceName | None = None
    withdrawn: bool = False

    @property
    def existing(self) -> ResourceName | None:
        """Return the name of the thing, if it is known and the thing still there."""
        return None if self.withdrawn else self.name


@dataclass(frozen=True, slots=True)
class Created:
    """The id of what a request created; `replayed` if the same request created it before."""

    id: str
    replayed: bool = False
    version: int | None = None
    """The version for an ETag, of things that have one."""


@dataclass(frozen=True, slots=True)
class ExternalId:
    """
    The caller's id for a new thing, and a fingerprint of all that the request says.

    `parents` are the ids of what the thing becomes part of, the outermost first.
    """

    value: str
    fingerprint: str
    parents: tuple[str, ...] = ()

    def replay(self, record: IdempotencyRecord | None) -> Created | None:
        """
        Return what the same request created before, or None.

        Raise ExternalIdReusedError where another request took the external id.
        """
        if record is None:
            return None
        if record.fingerprint != self.fingerprint:
            raise ExternalIdReusedError(self.value, record.existing)
        return Created(record.id, replayed=True)
