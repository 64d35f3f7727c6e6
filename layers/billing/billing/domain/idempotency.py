"""External ids: what the caller names a thing, so that asking twice creates it once."""

from dataclasses import dataclass

from billing.domain.errors import ExternalIdReusedError


@dataclass(frozen=True, slots=True)
class IdempotencyRecord:
    """An external id that stands in a table: the thing it names, and what was said of it."""

    id: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class ExternalId:
    """What the caller names a thing, and a fingerprint of all that the request says about it."""

    value: str
    fingerprint: str

    def replayed(self, taken: IdempotencyRecord | None) -> str | None:
        """
        Tell which thing this very request created before, if it did.

        Raises ExternalIdReusedError where another request took the external id.
        """
        if taken is None:
            return None
        if taken.fingerprint != self.fingerprint:
            raise ExternalIdReusedError(self.value)
        return taken.id
