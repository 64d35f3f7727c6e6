"""Who bills and who is billed."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Address:
    """A postal address; `country` is ISO 3166-1 alpha-2."""

    street: str
    postal_code: str
    city: str
    country: str


@dataclass(frozen=True, slots=True)
class Org:
    """
    The tenant that bills.

    `currency` and `payment_term_days` are the defaults of its accounts; `time_zone` decides
    which day an invoice is dated; the two series number its invoices and its credit notes.
    `accent` is the colour of its documents, as #rrggbb. A `sandbox` has a clock of its own, and its
    documents are marked as samples.
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


class DeliveryMode(StrEnum):
    """The way in which invoices reach an account."""

    EMAIL = "EMAIL"
    PAPER = "PAPER"
    APPLICATION = "APPLICATION"


@dataclass(frozen=True, slots=True)
class Account:
    """The customer that is billed."""

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
