"""Fiscal records of an org, in memory, and what sends them to the stand-in of the agency."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from billing.domain.errors import ContentionError
from billing.domain.fiscal_sending import Sending
from billing.domain.invoices import InvoiceKey
from billing.domain.parties import FiscalService
from billing.domain.verifactu import (
    Declaration,
    FiscalEnd,
    FiscalRecord,
    FiscalSetting,
    KeptRecord,
    Recipient,
    RecordState,
    RecordType,
    System,
    TaxRow,
    Verdict,
    chained,
)
from billing.services.send_fiscal_records import Sent, send_fiscal_records
from billing.verifactu.agency import TaxAgency
from tests.integration.agency import LEGAL_NAME, TAX_ID, Place

ORG = "acme"
ZONE = "Europe/Madrid"
SYSTEM = System(LEGAL_NAME, TAX_ID, "Billing", "01", "1", ORG)
SETTING = FiscalSetting(SYSTEM, FiscalService.TEST)


class KilledError(BaseException):
    """The process ended here."""


@dataclass
class Time:
    """A clock that is moved by hand."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))

    def __call__(self) -> datetime:
        return self.now

    def passes(self, **delta: float) -> None:
        self.now += timedelta(**delta)


class Books:
    """The records of an org in memory, and how far their sending is."""

    def __init__(self, time: Time) -> None:
        self.time = time
        self.records: list[FiscalRecord] = []
        self.states: dict[int, RecordState] = {}
        self.verdicts: dict[int, Verdict] = {}
        self.missing: set[int] = set()
        """Positions that the list of what is pending does not have yet."""
        self.unsent = False
        self.sending = Sending()
        self.answered_twice: list[int] = []

    def issue(self, count: int = 1) -> None:
        """Add records that follow the last one of the chain."""
        end = self.records[-1].end if self.records else FiscalEnd()
        for _ in range(count):
            said = declaration(f"F2026-{len(self.records) + 1:06}", self.time.now.date())
            record = chained(said, end, SETTING, self.time.now, ZONE)
            end = record.end
            self.records.append(record)
            self.states[record.position] = RecordState.PENDING
        self.unsent = True

    # ---------------------------------------------------------------- as the service has them

    def get(self, org_id: str) -> Sending:
        return self.sending

    def replace(self, org_id: str, before: Sending, after: Sending) -> None:
        if before.version != self.sending.version:
            raise ContentionError
        self.sending = after

    def list_unsent(self, after: str | None) -> list[str]:
        return [ORG] if self.unsent else []

    def all_sent(self, org_id: str, position: int) -> None:
        self.unsent = position != len(self.records)

    def end(self, org_id: str) -> FiscalEnd:
        return self.records[-1].end if self.records else FiscalEnd()

    def pending(self, org_id: str, limit: int) -> list[KeptRecord]:
        return [
            KeptRecord(InvoiceKey(ORG, "1", each.position), each, RecordState.PENDING)
            for each in self.records
            if self.states[each.position] is RecordState.PENDING
            and each.position not in self.missing
        ][:limit]

    def answered(self, answers: Sequence[tuple[KeptRecord, Verdict]]) -> None:
        for kept, verdict in answers:
            position = kept.record.position
            if self.states[position] is not RecordState.PENDING:
                self.answered_twice.append(position)
                continue
            self.states[position] = verdict.state
            self.verdicts[position] = verdict


class Sender:
    """Sends what is pending of the books, and can be killed before any of its calls."""

    def __init__(self, books: Books, place: Place) -> None:
        self.books, self.place = books, place
        self.line = place.line()
        self.calls = 0
        self.killed_at = 0
        self.meanwhile: Callable[[], Any] | None = None

    def send(self) -> list[Sent]:
        return list(
            send_fiscal_records(
                ORG,
                clock=self.books.time,
                senders=_Watched(self.books, self),
                records=_Watched(self.books, self),
                agency=partial(_Watched, TaxAgency(self.line), self),
            )
        )

    def killed(self, at: int) -> bool:
        """Send, but die before call number `at`; say whether there was such a call."""
        self.calls, self.killed_at = 0, at
        try:
            self.send()
        except KilledError:
            return True
        finally:
            self.killed_at = 0
        return False


class _Watched:
    def __init__(self, real: Any, sender: Sender) -> None:
        self._real, self._sender = real, sender

    def __getattr__(self, name: str) -> Any:
        def called(*arguments: Any, **named: Any) -> Any:
            self._sender.calls += 1
            if self._sender.calls == self._sender.killed_at:
                raise KilledError
            result = getattr(self._real, name)(*arguments, **named)
            meanwhile, self._sender.meanwhile = self._sender.meanwhile, None
            if name == "submit" and meanwhile:
                meanwhile()
            else:
                self._sender.meanwhile = meanwhile
            return list(result) if name == "find" else result

        return called


def declaration(number: str, issued_on: date) -> Declaration:
    return Declaration(
        seller_tax_id=TAX_ID,
        seller_name=LEGAL_NAME,
        number=number,
        issue_date=issued_on,
        type=RecordType.INVOICE,
        corrects=None,
        operation_date=None,
        description="Fibra 600 Mb & línea móvil",
        without_recipient=False,
        recipient=Recipient("Bar La Esquina S.L.", tax_id="B76543214"),
        rows=(TaxRow("01", "01", "S1", Decimal(21), Decimal("100.00"), Decimal("21.00")),),
    )
