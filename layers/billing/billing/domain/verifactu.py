"""
Fiscal records: what Spain's tax agency is told of each document, in the mode VERI*FACTU.

A record (registro de alta) declares a document in EUR, has a fingerprint (huella), and is chained
to the record before it: one chain for each taxpayer and installation, over all series, never
restarted. RD 1007/2023, Orden HAC/1177/2024. The checks are those of the agency's "Validaciones"
1.2.0; names like TipoFactura are those of its schemas. docs/verifactu.md says what is covered.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from hashlib import sha256
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from billing.domain.declarable import OLDEST_YEARS
from billing.domain.errors import FiscalRegimeError, InvalidRequestError, TaxIdRequiredError
from billing.domain.exchange_rates import EURO, Conversion
from billing.domain.invoices import (
    CreditReason,
    FiscalSummary,
    InvoiceKey,
    InvoiceKind,
    IssuedInvoice,
    last_supply,
)
from billing.domain.money import Money
from billing.domain.parties import Account, FiscalService, Org
from billing.domain.periods import years_before
from billing.domain.regimes.es import IVA_RATES, RETIRED_IVA_RATES
from billing.domain.regimes.eu import MEMBER_STATES
from billing.domain.tax import Tax, TaxTotal, TaxType, VatCategory
from billing.domain.tax_ids import plain_tax_id, vies_id
from billing.domain.territories import place_of

FIRST_DAY = date(2024, 10, 28)
"""The first issue date that the agency takes."""
MAX_ROWS = 12
"""Rows of tax in a record, at most."""
SIMPLIFIED_UP_TO = Decimal(400)
"""EUR with tax that an invoice without a tax id may come to (art. 4.1 of RD 1619/2012)."""
LARGE = Decimal(100_000_000)
"""A total from which on a record is marked (Macrodato)."""
_TOO_LARGE = Decimal(10**12)
"""Amounts have 12 digits before the point."""
ZONES = ("Europe/Madrid", "Atlantic/Canary")
"""The zones of the issuing territory."""

SYSTEM_NAME, SYSTEM_ID, SYSTEM_VERSION = "Billing API", "BA", "1.0.0"
"""What the software is called before the agency; the version is that of pyproject.toml."""

NO_PRODUCER = (
    "this deployment names nobody who answers for its software; set the parameters of the stack "
    "that begin with VerifactuProducer"
)

_QR_PAGES = {
    FiscalService.PRODUCTION: "https://www2.agenciatributaria.gob.es/wlpl/TIKE-CONT/ValidarQR",
    FiscalService.TEST: "https://prewww2.aeat.es/wlpl/TIKE-CONT/ValidarQR",
}


class RecordType(StrEnum):
    """The type of a document (TipoFactura)."""

    INVOICE = "F1"
    SIMPLIFIED = "F2"
    REFUND = "R1"
    OTHER_CREDIT = "R4"
    SIMPLIFIED_CREDIT = "R5"


class RecordState(StrEnum):
    """The state of a record; one that is `not_sent` belongs to a sandbox whose clock was set."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    ACCEPTED_WITH_ERRORS = "accepted_with_errors"
    REJECTED = "rejected"
    NOT_SENT = "not_sent"


class IdType(StrEnum):
    """What identifies a buyer who has no Spanish tax id (IDType)."""

    VAT_NUMBER = "02"
    PASSPORT = "03"
    NATIONAL_ID = "04"
    RESIDENCE_CERTIFICATE = "05"
    OTHER = "06"
    NOT_IN_CENSUS = "07"


@dataclass(frozen=True, slots=True)
class TaxRow:
    """
    A row of tax (DetalleDesglose): amounts in EUR.

    `treatment` is S1, S2, N1 or N2 (CalificacionOperacion), or else E1 to E6 (OperacionExenta).
    """

    tax: str  # Impuesto: 01 IVA, 02 IPSI, 03 IGIC
    regime: str  # ClaveRegimen
    treatment: str
    rate: Decimal | None  # TipoImpositivo
    base: Decimal  # BaseImponibleOimporteNoSujeto
    amount: Decimal | None  # CuotaRepercutida

    @property
    def is_exempt(self) -> bool:
        return self.treatment.startswith("E")


@dataclass(frozen=True, slots=True)
class Recipient:
    """The buyer: by a Spanish tax id (NIF), or by another id (IDOtro)."""

    name: str
    tax_id: str | None = None
    id_type: IdType | None = None
    id: str | None = None
    country: str | None = None


@dataclass(frozen=True, slots=True)
class CorrectedDocument:
    """An invoice that a credit note corrects (FacturasRectificadas)."""

    number: str
    issue_date: date


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a record says of a document."""

    seller_tax_id: str
    seller_name: str
    number: str
    issue_date: date
    type: RecordType
    corrects: CorrectedDocument | None
    operation_date: date | None
    description: str
    without_recipient: bool  # FacturaSinIdentifDestinatarioArt61d
    recipient: Recipient | None
    rows: tuple[TaxRow, ...]

    @property
    def tax(self) -> Decimal:
        """Return the sum of the taxes (CuotaTotal)."""
        return sum((row.amount or Decimal(0) for row in self.rows), Decimal("0.00"))

    @property
    def total(self) -> Decimal:
        """Return the sum of bases and taxes (ImporteTotal)."""
        return sum((row.base for row in self.rows), self.tax)

    @property
    def is_credit(self) -> bool:
        return self.type.startswith("R")


@dataclass(frozen=True, slots=True)
class System:
    """The software that issues (SistemaInformatico), and which of its installations."""

    producer: str
    producer_tax_id: str
    name: str
    id: str
    version: str
    installation: str


@dataclass(frozen=True, slots=True)
class Link:
    """The record before another (RegistroAnterior): its document and its fingerprint."""

    number: str
    issue_date: date
    huella: str


@dataclass(frozen=True, slots=True)
class Amendment:
    """
    Says that a record takes the place of an earlier one of the same document (subsanación).

    `is_known` tells whether the agency has accepted one, `after_rejection` whether it refused the
    last one.
    """

    is_known: bool
    after_rejection: bool

    @property
    def previous_rejection(self) -> str:
        """Return RechazoPrevio: X where the agency has no record of the document."""
        if not self.is_known:
            return "X"
        return "S" if self.after_rejection else "N"


@dataclass(frozen=True, slots=True)
class FiscalEnd:
    """The last record of a chain, and the installation that it is of; at 0 there is none yet."""

    position: int = 0
    link: Link | None = None
    generated_at: str = ""
    installation: str = ""


@dataclass(frozen=True, slots=True)
class FiscalLanes:
    """
    The lanes of an org as a switch of its regime finds them today: the last position of each.

    `last_issue` is the day of the newest document, and `end` that of the fiscal records.
    """

    positions: Mapping[str, int]
    last_issue: date | None
    end: FiscalEnd
    today: date


@dataclass(frozen=True, slots=True)
class FiscalRecord:
    """
    A record in its chain, as it was made; nothing of it ever changes.

    `generated_at` is written with the offset of the seller's zone, as it stands in the XML.
    """

    position: int
    declaration: Declaration
    amendment: Amendment | None
    system: System
    service: FiscalService
    generated_at: str
    previous: Link | None
    huella: str

    @property
    def qr_url(self) -> str:
        """Return the address at which anybody can verify its document."""
        said = self.declaration
        return _qr_url(self.service, said.seller_tax_id, said.number, said.issue_date, said.total)

    @property
    def is_intact(self) -> bool:
        """Return whether the fingerprint is that of the record and of the one before it."""
        return self.huella == huella(self.declaration, self.previous, self.generated_at)

    @property
    def end(self) -> FiscalEnd:
        """Return what the next record follows."""
        said = self.declaration
        link = Link(said.number, said.issue_date, self.huella)
        return FiscalEnd(self.position, link, self.generated_at, self.system.installation)


@dataclass(frozen=True, slots=True)
class FiscalSetting:
    """How the records of an org are made: by which system, for which service, sent or not."""

    system: System
    service: FiscalService
    is_sent: bool = True


@dataclass(frozen=True, slots=True)
class AgencyError:
    """What the agency finds wrong with a record: its code, and its words."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    What the agency answered to a record.

    `csv` is the code by which the answer can be found again (Código Seguro de Verificación).
    """

    state: RecordState
    sent_at: datetime
    csv: str | None = None
    errors: tuple[AgencyError, ...] = ()


@dataclass(frozen=True, slots=True)
class KeptRecord:
    """
    A record as it is kept: with its document, its state, and what the agency answered.

    `amended` says whether a later record takes its place. Where the personal part was erased,
    its texts are empty.
    """

    key: InvoiceKey
    record: FiscalRecord
    state: RecordState
    verdict: Verdict | None = None
    amended: bool = False
    erased: bool = False


# ---------------------------------------------------------------- the chain


def chained(
    said: Declaration,
    end: FiscalEnd,
    setting: FiscalSetting,
    now: datetime,
    time_zone: str,
    amendment: Amendment | None = None,
) -> FiscalRecord:
    """
    Make the record that follows the end of a chain.

    Its time is never before that one's, and its installation stays, whatever the stack says now.
    """
    generated_at = now.astimezone(ZoneInfo(time_zone)).replace(microsecond=0)
    if end.generated_at and generated_at < (before := datetime.fromisoformat(end.generated_at)):
        generated_at = before.astimezone(ZoneInfo(time_zone))
    at = generated_at.isoformat()
    return FiscalRecord(
        position=end.position + 1,
        declaration=said,
        amendment=amendment,
        system=replace(
            setting.system, installation=end.installation or setting.system.installation
        ),
        service=setting.service,
        generated_at=at,
        previous=end.link,
        huella=huella(said, end.link, at),
    )


def huella(said: Declaration, previous: Link | None, generated_at: str) -> str:
    """Compute the fingerprint of a record: no personal data of the buyer is in it."""
    return fingerprint(
        {
            "IDEmisorFactura": said.seller_tax_id,
            "NumSerieFactura": said.number,
            "FechaExpedicionFactura": day(said.issue_date),
            "TipoFactura": said.type,
            "CuotaTotal": amount(said.tax),
            "ImporteTotal": amount(said.total),
            "Huella": previous.huella if previous else "",
            "FechaHoraHusoGenRegistro": generated_at,
        }
    )


_SPACES = "".join(map(chr, range(0x21)))
"""What the agency's algorithm cuts off at both ends."""


def fingerprint(fields: Mapping[str, str]) -> str:
    """Return the SHA-256 of fields, in capital hexadecimal digits."""
    text = "&".join(f"{name}={value.strip(_SPACES)}" for name, value in fields.items())
    return sha256(text.encode()).hexdigest().upper()


def day(value: date) -> str:
    """Write a day as the agency does: 31-12-2027."""
    return f"{value:%d-%m-%Y}"


def amount(value: Decimal) -> str:
    """Write an amount with two decimals, without a negative zero."""
    return f"{value if value else abs(value):.2f}"


def qr_url(invoice: IssuedInvoice) -> str | None:
    """Return the address at which anybody can verify a document; None where it has no record."""
    fiscal = invoice.fiscal
    if fiscal is None:
        return None
    tax_id = spanish_tax_id(invoice.seller.tax_id) or ""
    return _qr_url(fiscal.service, tax_id, invoice.number, invoice.issue_date, fiscal.total)


def _qr_url(
    service: FiscalService, tax_id: str, number: str, issue_date: date, total: Decimal
) -> str:
    asked = {
        "nif": tax_id,
        "numserie": number,
        "fecha": day(issue_date),
        "importe": amount(total),
    }
    return f"{_QR_PAGES[service]}?{urlencode(asked)}"


# ---------------------------------------------------------------- which orgs are declared


def check_seller(org: Org, system: System | None) -> None:
    """
    Check that the documents of an org can be declared.

    Raise InvalidRequestError where its profile stands in the way, and FiscalRegimeError where
    nobody answers for the software.
    """
    if org.address.country != "ES":
        raise InvalidRequestError.of("fiscal_regime", "VERIFACTU is for sellers in Spain")
    if spanish_tax_id(org.tax_id) is None:
        raise InvalidRequestError.of("tax_id", "must be a Spanish tax id (NIF) with VERIFACTU")
    if org.time_zone not in ZONES:
        raise InvalidRequestError.of(
            "time_zone", f"must be {' or '.join(ZONES)} with VERIFACTU, as the tax agency asks"
        )
    if system is None:
        raise FiscalRegimeError(NO_PRODUCER)


def check_switch(org: Org, lanes: FiscalLanes) -> None:
    """
    Check that an org can change its fiscal regime today.

    Who sends records does so to the end of the year: off is only possible before the first
    one that is declared in another year. Raise FiscalRegimeError where it cannot.
    """
    today, last = lanes.today, lanes.end.link
    if org.is_declared:
        if lanes.last_issue and lanes.last_issue > today:
            raise FiscalRegimeError(
                f"the last document is dated {lanes.last_issue}; VERIFACTU can begin on that day"
            )
    elif last and last.issue_date.year >= today.year:
        raise FiscalRegimeError(
            f"VERIFACTU ends with a year: documents of {today.year} are declared already. Switch "
            f"it off from 1 January {today.year + 1} on, before the first document of that year."
        )


# ---------------------------------------------------------------- a document → what is declared


def declare(
    invoice: IssuedInvoice,
    reason: CreditReason = CreditReason.REFUND,
    original_day: date | None = None,
) -> Declaration:
    """
    Return what is declared of a document.

    `original_day` is the day of the operation that a credit note corrects. Raise
    InvalidRequestError where the agency would refuse it, TaxIdRequiredError where only the buyer's
    tax id is missing.
    """
    rows = _rows(invoice)
    recipient = _recipient(invoice)
    is_credit = invoice.kind is InvoiceKind.CREDIT_NOTE
    corrects = invoice.corrects
    said = Declaration(
        seller_tax_id=spanish_tax_id(invoice.seller.tax_id) or "",
        seller_name=cut(invoice.seller.legal_name, 120),
        number=invoice.number,
        issue_date=invoice.issue_date,
        type=_type(reason, is_credit=is_credit, is_identified=recipient is not None),
        corrects=CorrectedDocument(corrects.number, corrects.issue_date) if corrects else None,
        operation_date=_operation_date(invoice, rows, original_day),
        description=cut(invoice.description, 500) or invoice.number,
        without_recipient=recipient is None and all(row.treatment == "N2" for row in rows),
        recipient=recipient,
        rows=rows,
    )
    _check(said, invoice)
    return said


def summary_of(said: Declaration, service: FiscalService) -> FiscalSummary:
    """Return what a document itself says of its record."""
    return FiscalSummary(said.type.value, said.total, service)


def _type(reason: CreditReason, *, is_credit: bool, is_identified: bool) -> RecordType:
    if not is_credit:
        return RecordType.INVOICE if is_identified else RecordType.SIMPLIFIED
    if not is_identified:
        return RecordType.SIMPLIFIED_CREDIT
    return RecordType.OTHER_CREDIT if reason is CreditReason.OTHER else RecordType.REFUND


def day_of_operation(invoice: IssuedInvoice) -> date:
    """Return the day of the operation: the last of the supply, or that of issue before it."""
    return last_supply(invoice, invoice.issued_at, invoice.issue_date)


def _operation_date(
    invoice: IssuedInvoice, rows: Iterable[TaxRow], original_day: date | None
) -> date | None:
    """
    Return the day of the operation where that is before the day of issue.

    For a credit note it is the original's where the rates were those of that day alone. One that
    became too old for the agency since it was charged is left out, as the document has to be
    issued all the same.
    """
    day = day_of_operation(invoice)
    if original_day and not all(_is_rate(row, day) for row in rows):
        day = original_day
    oldest = years_before(invoice.issue_date, OLDEST_YEARS)
    return day if oldest <= day < invoice.issue_date else None


def _check(said: Declaration, invoice: IssuedInvoice) -> None:
    if said.issue_date < FIRST_DAY:
        raise InvalidRequestError.of(
            "issue_date", f"the tax agency takes no document issued before {FIRST_DAY}"
        )
    if len(said.rows) > MAX_ROWS:
        cure = "credit some of them at a time" if said.is_credit else "divide them"
        raise InvalidRequestError.of(
            "lines",
            f"they come to {len(said.rows)} rates and kinds of tax, and the tax agency takes "
            f"{MAX_ROWS} in a document: {cure}",
        )
    _check_rates(said)
    amounts = [said.total, said.tax, *(row.base for row in said.rows)]
    if max(map(abs, amounts)) >= _TOO_LARGE:
        raise InvalidRequestError.of("lines", f"the total must be less than {_TOO_LARGE:f} EUR")
    if said.type is RecordType.SIMPLIFIED and not said.without_recipient:
        _check_simplified(said, invoice.buyer)


def _check_simplified(said: Declaration, buyer: Account) -> None:
    if said.total > SIMPLIFIED_UP_TO:
        raise TaxIdRequiredError(
            f"An invoice of more than {SIMPLIFIED_UP_TO} EUR ({said.total} EUR) needs the buyer's "
            f"tax_id: add it to the profile of account {buyer.id}."
        )


def _check_rates(said: Declaration) -> None:
    """Check that each rate of IVA was one on the day of the operation."""
    on = said.operation_date or said.issue_date
    for row in said.rows:
        if _is_rate(row, on):
            continue
        if row.tax != _IVA:
            raise InvalidRequestError.of("tax.percentage", "has more than two decimals")
        raise InvalidRequestError.of("tax.percentage", f"{row.rate:f} % was no rate of IVA on {on}")


def _is_rate(row: TaxRow, on: date) -> bool:
    """Return whether the agency takes the rate of a row for an operation of a day."""
    if row.treatment != "S1" or row.rate is None:
        return True
    return is_rate_of_iva(row.rate, on) if row.tax == _IVA else row.rate == round(row.rate, 2)


def is_rate_of_iva(rate: Decimal, on: date) -> bool:
    """Return whether the agency takes a rate for an operation of a day."""
    if rate in IVA_RATES:
        return True
    first, last = RETIRED_IVA_RATES.get(rate, (date.max, date.min))
    return first <= on <= last


# ---------------------------------------------------------------- rows of tax

_IVA, _IPSI, _IGIC = "01", "02", "03"
_TAX_OF_TERRITORY = {"ES": _IVA, "ES-CN": _IGIC, "ES-CE": _IPSI, "ES-ML": _IPSI}
_TAX_OF_TYPE = {TaxType.IVA: _IVA, TaxType.IGIC: _IGIC, TaxType.IPSI: _IPSI}
_GENERAL, _EXPORT, _OTHER_TERRITORY, _ONE_STOP_SHOP = "01", "02", "08", "17"
_IPSI_FROM_THE_CANARIES = "20"

_EXEMPTIONS = (
    ("VATEX-EU-132", "E1"),
    ("VATEX-EU-135", "E1"),
    ("VATEX-EU-146", "E2"),
    ("VATEX-EU-148", "E3"),
    ("VATEX-EU-151", "E3"),
    ("VATEX-EU-159", "E4"),
    ("VATEX-EU-", "E6"),
)
"""The cause of exemption (OperacionExenta) by the beginning of its VATEX code."""

type _Kind = tuple[str, str, str, Decimal | None]
"""Impuesto, ClaveRegimen, treatment and rate: what makes a row."""


def _rows(invoice: IssuedInvoice) -> tuple[TaxRow, ...]:
    nets: dict[_Kind, Money] = {}
    taxes: dict[_Kind, Money] = {}
    nothing = Money.zero(invoice.currency)
    for total in invoice.taxes:
        kind = _kind(total.tax, invoice.seller, invoice.buyer)
        net, tax = _declared(total, kind)
        nets[kind] = nets.get(kind, nothing) + net
        taxes[kind] = taxes.get(kind, nothing) + tax
    return tuple(
        TaxRow(
            *kind,
            base=euros(net, invoice.conversion),
            amount=None if kind[3] is None else euros(taxes[kind], invoice.conversion),
        )
        for kind, net in nets.items()
    )


def _declared(total: TaxTotal, kind: _Kind) -> tuple[Money, Money]:
    """
    Return the base and the tax of a total.

    All that is charged abroad is an amount not subject to Spanish tax, the foreign VAT in it too:
    so the total of the record is that of the document.
    """
    if kind[3] is None:
        return total.net + total.amount, Money.zero(total.net.currency)
    return total.net, total.amount


def rows_of(taxes: Iterable[Tax], seller: Org, buyer: Account) -> int:
    """Return how many rows some taxes come to."""
    return len({_kind(tax, seller, buyer) for tax in taxes})


def _kind(tax: Tax, seller: Org, buyer: Account) -> _Kind:
    """Return the row that a treatment belongs to."""
    home = place_of(seller.address).home
    place = tax.place or place_of(buyer.address).home
    own, there = _TAX_OF_TERRITORY.get(home, _IVA), _TAX_OF_TERRITORY.get(place)
    if tax.type in _TAX_OF_TYPE:
        return _TAX_OF_TYPE[tax.type], _GENERAL, "S1", tax.percentage
    if there is None:
        in_shop = tax.type is TaxType.VAT and seller.one_stop_shop and place in MEMBER_STATES
        return (_IVA, _ONE_STOP_SHOP, "N2", None) if in_shop else (own, _GENERAL, "N2", None)
    category = tax.decided
    if category is VatCategory.EXEMPT:
        return _exempt(tax, there)
    if category in (VatCategory.STANDARD, VatCategory.ZERO):
        return there, _GENERAL, "S1", tax.percentage
    if place != home:
        return own, _elsewhere_in_spain(own, there), "N2", None
    is_reversed = category is VatCategory.REVERSE_CHARGE
    return own, _GENERAL, *(("S2", Decimal(0)) if is_reversed else ("N1", None))


def _exempt(tax: Tax, there: str) -> _Kind:
    reason = tax.reason or ""
    cause = next((cause for code, cause in _EXEMPTIONS if reason.startswith(code)), "E1")
    is_export = cause in ("E2", "E3") and there != _IPSI
    return there, _EXPORT if is_export else _GENERAL, cause, None


def _elsewhere_in_spain(own: str, there: str) -> str:
    """Return the regime of what another territory of Spain taxes."""
    if own == there:
        return _GENERAL
    return _IPSI_FROM_THE_CANARIES if (own, there) == (_IGIC, _IPSI) else _OTHER_TERRITORY


def euros(value: Money, conversion: Conversion | None) -> Decimal:
    """State an amount in EUR, at the exchange rate of its document."""
    if value.currency == EURO:
        return value.major
    if conversion is None:
        raise ValueError(f"no exchange rate for {value}")
    return conversion.of(value).major


# ---------------------------------------------------------------- who buys

_VAT_NUMBERS = {
    "AT": "[0-9A-Z]{9}", "BE": "[0-9]{10}", "BG": "[0-9]{9,10}", "CY": "[0-9A-Z]{9}",
    "CZ": "[0-9]{8,10}", "DE": "[0-9]{9}", "DK": "[0-9]{8}", "EE": "[0-9]{9}", "EL": "[0-9]{9}",
    "FI": "[0-9]{8}", "FR": "[0-9A-Z]{11}", "HR": "[0-9]{11}", "HU": "[0-9]{8}",
    "IE": "[0-9A-Z]{8,9}", "IT": "[0-9]{11}", "LT": "[0-9]{9}|[0-9]{12}", "LU": "[0-9]{8}",
    "LV": "[0-9]{11}", "MT": "[0-9]{8}", "NL": "[0-9A-Z]{12}", "PL": "[0-9]{10}",
    "PT": "[0-9]{9}", "RO": "[1-9][0-9]{1,9}", "SE": "[0-9]{12}", "SI": "[0-9]{8}",
    "SK": "[0-9]{10}", "XI": "[0-9A-Z]{5}|[0-9A-Z]{9}|[0-9A-Z]{12}",
}  # fmt: skip
"""The form of VAT numbers behind their prefix, as the agency publishes it (note 1)."""
_LENGTHS = {"BE": 10, "EL": 9, "NL": 12}
"""How long the numbers are that people write without their leading zeros."""
_COUNTRIES = {
    "AX": "FI", "BL": "FR", "EH": "QU", "GF": "FR", "GP": "FR", "MF": "FR", "MQ": "FR", "SJ": "NO",
}  # fmt: skip
"""What the agency calls countries of ISO 3166-1 that it has no code for; QU is any other one."""
_SPANISH = re.compile("[0-9A-Z][0-9]{7}[0-9A-Z]")
_MAX_ID = 20


def spanish_tax_id(tax_id: str) -> str | None:
    """Return a Spanish tax id (NIF) as the agency writes it; None where it has not its form."""
    plain = plain_tax_id(tax_id).removeprefix("ES")
    return plain if _SPANISH.fullmatch(plain) and int(plain[1:8]) else None


def _recipient(invoice: IssuedInvoice) -> Recipient | None:
    buyer = invoice.buyer
    if buyer.tax_id is None:
        return None
    name, country = cut(buyer.company_name or buyer.name, 120), _country_of_tax_id(invoice)
    if country == "ES":
        return Recipient(name, tax_id=_checked_tax_id(buyer))
    number = _vat_number(invoice)
    if number:
        return Recipient(name, id_type=IdType.VAT_NUMBER, id=number)
    country = _COUNTRIES.get(country, country)
    return Recipient(name, id_type=IdType.NATIONAL_ID, id=_foreign_id(buyer), country=country)


def _country_of_tax_id(invoice: IssuedInvoice) -> str:
    """
    Return the country whose tax id names the buyer.

    That of a reverse charge is of the place that was charged, wherever the buyer is by now.
    """
    places = (line.tax.place for line in invoice.lines if line.tax.vat_id)
    return next((place[:2] for place in places if place), invoice.buyer.country)


def is_named_as_declared(invoice: IssuedInvoice) -> bool:
    """Return whether the agency takes a document's buyer as the document names it."""
    try:
        _recipient(invoice)
    except TaxIdRequiredError:
        return False
    return True


def identified_by(said: Declaration, id_type: IdType, invoice: IssuedInvoice) -> Declaration:
    """
    Return a declaration that says what the buyer's tax id is.

    Raise InvalidRequestError where there is none, or the agency does not take it for that country.
    """
    field, country = "buyer_id_type", _country_of_tax_id(invoice)
    if said.recipient is None:
        raise InvalidRequestError.of(field, "the document names no tax id")
    in_spain = country == "ES"
    if in_spain and id_type not in (IdType.PASSPORT, IdType.NOT_IN_CENSUS):
        raise InvalidRequestError.of(field, "in Spain it can be a passport, or not in the census")
    if not in_spain and id_type in (IdType.NOT_IN_CENSUS, IdType.VAT_NUMBER):
        raise InvalidRequestError.of(field, f"a tax id of {country} cannot be {id_type.name}")
    recipient = Recipient(
        said.recipient.name,
        id_type=id_type,
        id=said.recipient.tax_id or _foreign_id(invoice.buyer),
        country=_COUNTRIES.get(country, country),
    )
    return replace(said, recipient=recipient)


def _checked_tax_id(buyer: Account) -> str:
    tax_id = spanish_tax_id(buyer.tax_id or "")
    if tax_id is None:
        raise TaxIdRequiredError(
            f"{buyer.tax_id} is no Spanish tax id: correct it in the profile of account {buyer.id}."
        )
    return tax_id


def _vat_number(invoice: IssuedInvoice) -> str | None:
    """Return the buyer's VAT number, if it is a business and the number has the form of one."""
    buyer = invoice.buyer
    if not (invoice.vat_id or buyer.is_business):
        return None
    number = invoice.vat_id or vies_id(buyer.tax_id, buyer.country) or ""
    prefix, rest = number[:2], number[2:]
    rest = rest.zfill(_LENGTHS.get(prefix, 0))
    return prefix + rest if re.fullmatch(_VAT_NUMBERS.get(prefix, "-"), rest) else None


def _foreign_id(buyer: Account) -> str:
    tax_id = buyer.tax_id or ""
    plain = plain_tax_id(tax_id) or tax_id
    if len(plain) > _MAX_ID:
        raise TaxIdRequiredError(
            f"The tax agency takes a tax id of at most {_MAX_ID} characters: correct it in the "
            f"profile of account {buyer.id}."
        )
    return plain


def cut(text: str, length: int) -> str:
    """Cut a text to a length; white space at its ends does not count."""
    return " ".join(text.split())[:length].strip()
