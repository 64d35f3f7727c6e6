"""v1 billing: the billing profiles of orgs and accounts."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from billing.dialects.fields import (
    Bic,
    Country,
    Currency,
    Date,
    Dto,
    Email,
    Iban,
    Instant,
    Name,
    TimeZone,
    check_tax_id,
)
from billing.dialects.v1.common import AddressDTO
from billing.domain.parties import Account, DeliveryMode, Org
from billing.domain.periods import BillingPeriod, local_date, next_billing_date, period_at

TaxId = Annotated[Name, Field(max_length=32)]
Series = Annotated[str, Field(pattern=r"^[A-Z]{1,8}$")]
Colour = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]
PaymentTerm = Annotated[int, Field(ge=0, le=365)]
StateId = Annotated[int, Field(ge=1, le=52)]


class BillingInfo(Dto):
    """The org's own billing profile: what its invoices say of the seller."""

    legal_name: Name = Field(description="The name in the commercial register.")
    address: AddressDTO = Field(description="The registered seat.")
    tax_id: TaxId = Field(description="Checked by the rules of the address's country.")
    currency: Currency = Field(description="ISO 4217; the default of the accounts.")
    time_zone: TimeZone = Field(description="IANA; decides which day an invoice is dated.")
    payment_term_days: PaymentTerm = Field(description="Days from issue to due date.")
    phone: Name | None = Field(None, description="Shown on invoices.")
    email: Email = Field(description="Shown on invoices.")
    url: Name | None = Field(None, description="Shown on invoices.")
    iban: Iban | None = Field(None, description="Where customers pay to.")
    bic: Bic | None = Field(None, description="The bank of the IBAN.")
    invoice_series: Series = Field("F", description="Begins the numbers of invoices.")
    credit_series: Series = Field("R", description="Begins the numbers of credit notes.")
    accent: Colour | None = Field(None, description="The colour of its documents: `#0b5394`.")
    sandbox: bool | None = Field(
        None,
        description="Whether the org is a sandbox, as its first token said; read only.",
        json_schema_extra={"readOnly": True},
    )

    @field_validator("tax_id")
    @classmethod
    def _valid_tax_id(cls, tax_id: str, earlier: ValidationInfo) -> str:
        address = earlier.data.get("address")
        return check_tax_id(tax_id, address.country) if address else tax_id

    @field_validator("credit_series")
    @classmethod
    def _series_of_its_own(cls, credit_series: str, earlier: ValidationInfo) -> str:
        if credit_series == earlier.data.get("invoice_series"):
            raise ValueError("must differ from invoice_series")
        return credit_series

    @classmethod
    def from_domain(cls, org: Org) -> "BillingInfo":
        return cls(
            legal_name=org.legal_name,
            tax_id=org.tax_id,
            address=AddressDTO.from_domain(org.address),
            currency=org.currency,
            time_zone=org.time_zone,
            payment_term_days=org.payment_term_days,
            phone=org.phone,
            email=org.email,
            url=org.url,
            iban=org.iban,
            bic=org.bic,
            invoice_series=org.invoice_series,
            credit_series=org.credit_series,
            accent=org.accent,
            sandbox=org.sandbox,
        )

    def to_domain(self, org_id: str, *, sandbox: bool) -> Org:
        return Org(
            id=org_id,
            legal_name=self.legal_name,
            tax_id=self.tax_id,
            address=self.address.to_domain(),
            currency=self.currency,
            time_zone=self.time_zone,
            payment_term_days=self.payment_term_days,
            email=self.email,
            phone=self.phone,
            url=self.url,
            iban=self.iban,
            bic=self.bic,
            invoice_series=self.invoice_series,
            credit_series=self.credit_series,
            accent=self.accent,
            sandbox=sandbox,
        )


class AccountBillingDetailsRequestDTO(Dto):
    """The billing profile of an account."""

    name: Name = Field(description="Who is billed.")
    company_name: Name | None = Field(None, description="The company, where it is one.")
    email: Email = Field(description="Where invoices go.")
    address: AddressDTO = Field(description="The billing address.")
    country: Country = Field(description="ISO 3166-1 alpha-2; decides the tax.")
    tax_id: TaxId | None = Field(None, description="Checked by the rules of `country`.")
    state_id: StateId | None = Field(None, description="In Spain the INE province code.")
    billing_day: Annotated[int, Field(ge=1, le=31)] = Field(
        description="Day of the month; short months bill on their last day."
    )
    time_zone: TimeZone = Field(description="IANA; decides where a billing period ends.")
    delivery_mode: Annotated[DeliveryMode, Field(strict=False)] = Field(
        description="How invoices are delivered."
    )
    payment_term_days: PaymentTerm = Field(description="Days from issue to due date.")
    currency: Currency | None = Field(None, description="ISO 4217; by default the org's.")
    iban: Iban | None = Field(None, description="The account's own, for direct debits.")
    bic: Bic | None = Field(None, description="The bank of the IBAN.")
    closed: bool = Field(False, description="Nothing more can be charged to a closed account.")

    @field_validator("tax_id")
    @classmethod
    def _valid_tax_id(cls, tax_id: str | None, earlier: ValidationInfo) -> str | None:
        country = earlier.data.get("country")
        return check_tax_id(tax_id, country) if tax_id and country else tax_id

    @field_validator("state_id")
    @classmethod
    def _province(cls, state_id: int | None, earlier: ValidationInfo) -> int | None:
        if state_id is not None and earlier.data.get("country", "ES") != "ES":
            raise ValueError("is a province of Spain; leave it out elsewhere")
        return state_id

    def to_domain(self, account_id: str) -> Account:
        return Account(
            id=account_id,
            name=self.name,
            company_name=self.company_name,
            tax_id=self.tax_id,
            email=self.email,
            address=self.address.to_domain(),
            country=self.country,
            state_id=self.state_id,
            billing_day=self.billing_day,
            time_zone=self.time_zone,
            delivery_mode=self.delivery_mode,
            payment_term_days=self.payment_term_days,
            currency=self.currency,
            iban=self.iban,
            bic=self.bic,
            closed=self.closed,
        )


class PeriodDTO(Dto):
    """A billing period, half-open."""

    start_datetime: Instant = Field(description="Its first instant.")
    end_datetime: Instant = Field(description="The first instant after it.")

    @classmethod
    def from_domain(cls, period: BillingPeriod) -> "PeriodDTO":
        return cls(start_datetime=period.start, end_datetime=period.end)


class AccountBillingDetailsResponseDTO(Dto):
    """When an account is billed next, and its billing profile."""

    account_id: str = Field(description="The account.")
    next_billing_date: Date | None = Field(
        description="The first billing day after today in its time zone; null once closed."
    )
    billing_day: int = Field(description="Day of the month it is anchored on.")
    time_zone: str = Field(description="IANA.")
    current_period: PeriodDTO = Field(description="The period that today is in.")
    name: str = Field(description="Who is billed.")
    tax_id: str | None = Field(description="Its tax id.")
    address: AddressDTO = Field(description="The billing address.")
    email: str = Field(description="Where invoices go.")
    country: str = Field(description="ISO 3166-1 alpha-2.")
    state_id: int | None = Field(description="In Spain the INE province code.")
    delivery_mode: DeliveryMode = Field(description="How invoices are delivered.")
    payment_term_days: int = Field(description="Days from issue to due date.")
    iban: str | None = Field(description="The account's own.")
    bic: str | None = Field(description="The bank of the IBAN.")

    @classmethod
    def from_domain(cls, account: Account, now: datetime) -> "AccountBillingDetailsResponseDTO":
        today = local_date(now, account.time_zone)
        return cls(
            account_id=account.id,
            next_billing_date=None
            if account.closed
            else next_billing_date(account.billing_day, today),
            billing_day=account.billing_day,
            time_zone=account.time_zone,
            current_period=PeriodDTO.from_domain(
                period_at(account.billing_day, account.time_zone, now)
            ),
            name=account.name,
            tax_id=account.tax_id,
            address=AddressDTO.from_domain(account.address),
            email=account.email,
            country=account.country,
            state_id=account.state_id,
            delivery_mode=account.delivery_mode,
            payment_term_days=account.payment_term_days,
            iban=account.iban,
            bic=account.bic,
        )
