"""What the tax agency answers: to a message with fiscal records, and to a question about them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from billing.domain.verifactu import AgencyError, RecordState, Verdict

DUPLICATE = "3000"
"""The agency's code of a record that it has already."""


@dataclass(frozen=True, slots=True)
class RecordAnswer:
    """
    The answer about one record, which is named by its document.

    Where the agency has a record of that document already, `kept` is what it says of that one.
    """

    number: str
    issued_on: date
    state: RecordState
    error: AgencyError | None = None
    kept: "RecordAnswer | None" = None

    @property
    def is_duplicate(self) -> bool:
        return self.error is not None and self.error.code == DUPLICATE

    def verdict(self, csv: str | None, at: datetime) -> Verdict:
        """Return the verdict on the record; a rejected one has no part in the receipt."""
        errors = (self.error,) if self.error else ()
        return Verdict(self.state, at, None if self.state is RecordState.REJECTED else csv, errors)


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a message; `csv` is the agency's receipt, None where all was rejected."""

    csv: str | None
    wait: timedelta
    records: Sequence[RecordAnswer]


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record as the agency has it."""

    number: str
    issued_on: date
    huella: str
    state: RecordState
    error: AgencyError | None = None

    @property
    def answer(self) -> RecordAnswer:
        """Return the answer that the record would have got, had it not been lost."""
        return RecordAnswer(self.number, self.issued_on, self.state, self.error)
