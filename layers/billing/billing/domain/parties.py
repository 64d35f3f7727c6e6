"""Who bills and who is billed."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from billing.domain.regimes.es import region_of

Language = Literal["en", "es"]
"""The languages of documents, ISO 639-1."""


@dataclass(frozen=True, slots=True)
class Address:
    """
    A postal address; `country` is ISO 3166-1 alpha-2, `region` ISO 3166-2.

    In Spain the region is the province of the postal code, whether it is named or not.
    """

    street: str
    postal_code: str
    city: str
    country: str
    region: str | None = None

    def __post_init__(self) -> None:
        if self.country == "ES":
            object.__setattr__(self, "region", region_of(self.postal_code))


@dataclass(frozen=True, slots=True)
class ElectronicAddress:
    """An address for e-invoices; `scheme` is a code of the EAS list."""

    scheme: str
    id: str


type LogoType = Literal["image/png", "image/svg+xml"]


@dataclass(frozen=True, slots=True)
class Logo:
    """The picture on an org's documents: its hash, its type, and how wide and high it is."""

    sha256: str
    type: LogoType
    width: int
    height: int


class FiscalRegime(StrEnum):
    """Whether an org's documents are declared to Spain's tax agency as they are issued."""

    NONE = "NONE"
    VERIFACTU = "VERIFACTU"


class FiscalService(StrEnum):
    """The service of the tax agency that records are sent to, and that documents point to."""

    PRODUCTION = "production"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Org:
    """
    The tenant that bills.

    `currency` and `payment_term_days` are the defaults of its accounts; `time_zone` decides
    which day an invoice is dated; the two series number its invoices and its credit notes.
    `accent` is the colour of its documents, as #rrggbb. A `sandbox` has a clock of its own, and its
    documents are marked as samples. With `one_stop_shop` it declares the VAT of consumers in other
    member states there (title XII, chapter 6 of Directive 2006/112/EC). Its documents are numbered
    in so many `lanes`; it never had more than `most_lanes`. Documents are mailed
    from `mail_from`, those that were issued without it are not.
    """

    id: str
    legal_name: str
    tax_id: str
    address: Address
    currency: str
    time_zone: str
    payment_term_days: int
    email: str
    phone: str | None
    url: str | None
    iban: str | None
    bic: str | None
    invoice_series: str
    credit_series: str
    accent: str | None = None
    sandbox: bool = False
    one_stop_shop: bool = False
    electronic_address: ElectronicAddress | None = None
    logo: Logo | None = None
    lanes: int = 1
    most_lanes: int = 1
    fiscal_regime: FiscalRegime = FiscalRegime.NONE
    mail_from: str | None = None

    @property
    def is_declared(self) -> bool:
        """Return whether its documents get fiscal records."""
        return self.fiscal_regime is FiscalRegime.VERIFACTU


class DeliveryMode(StrEnum):
    """The way in which invoices reach an account."""

    EMAIL = "EMAIL"
    PAPER = "PAPER"
    APPLICATION = "APPLICATION"


class VatNumberStatus(StrEnum):
    """What is known of an account's tax id as a VAT number."""

    VALID = "valid"
    INVALID = "invalid"
    UNCHECKED = "unchecked"


@dataclass(frozen=True, slots=True)
class Account:
    """
    The customer that is billed.

    `language` is that of its documents, None for that of its country. `buyer_reference` is what the
    customer wants to find on each document (BT-10).
    """

    id: str
    name: str
    company_name: str | None
    tax_id: str | None
    email: str
    address: Address
    country: str
    state_id: int | None
    billing_day: int
    time_zone: str
    delivery_mode: DeliveryMode
    payment_term_days: int
    currency: str | None
    iban: str | None
    bic: str | None
    closed: bool
    language: Language | None = None
    vat_number_status: VatNumberStatus = VatNumberStatus.UNCHECKED
    buyer_reference: str | None = None
    electronic_address: ElectronicAddress | None = None

    @property
    def is_business(self) -> bool:
        """
        Return whether the account is billed as a business; if not, it is a consumer.

        It is one if its VAT number is known to be valid. While that is unchecked, it takes a tax id
        and the name of a company. The check digits of a tax id were checked when it came in.
        """
        if self.vat_number_status is VatNumberStatus.UNCHECKED:
            return bool(self.tax_id and self.company_name)
        return self.vat_number_status is VatNumberStatus.VALID
