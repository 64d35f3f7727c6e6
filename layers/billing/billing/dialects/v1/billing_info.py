"""v1 billing: the billing profiles of orgs and accounts."""

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from billing.dialects.fields import (
    Bic,
    Country,
    Currency,
    Date,
    Dto,
    Email,
    Form,
    Iban,
    Name,
    NextCursor,
    ReadOnly,
    TextOf,
    TimeZone,
    check_tax_id,
)
from billing.dialects.v1.common import AddressDTO, ElectronicAddressDTO, PeriodDTO, StateId
from billing.domain.cycles import BillingDetails
from billing.domain.mails import MailState
from billing.domain.networks import NO_PHONE, has_phone
from billing.domain.numbering import MAX_LANES
from billing.domain.parties import (
    Account,
    DeliveryMode,
    FiscalRegime,
    Language,
    Org,
    VatNumberStatus,
)
from billing.domain.regimes.es import province_of

TaxId = Annotated[str, TextOf(32)]
Series = Annotated[str, Form(r"^[A-Z]{1,8}$", "1 to 8 letters from A to Z, such as F")]
Colour = Annotated[
    str, Form(r"^#[0-9a-fA-F]{6}$", "a colour as # and six hexadecimal digits, such as #0b5cad")
]
PaymentTerm = Annotated[int, Field(ge=0, le=365)]


class BillingInfo(Dto):
    """The org's own billing profile: the seller on its invoices."""

    legal_name: Name = Field(description="Legal name, as in the commercial register.")
    address: AddressDTO = Field(description="Address of the registered office.")
    tax_id: TaxId = Field(description="Tax id, checked by the rules of the country in `address`.")
    currency: Currency = Field(description="Currency code (ISO 4217); the default of the accounts.")
    time_zone: TimeZone = Field(
        description="IANA time zone. It decides on which day an invoice is dated."
    )
    payment_term_days: PaymentTerm = Field(
        description="Number of days from the issue date to the due date."
    )
    phone: Name | None = Field(
        None,
        validate_default=True,
        description="Phone number, printed on invoices. Required in Germany, with at least three "
        "digits.",
    )
    email: Email = Field(description="E-mail address, printed on invoices.")
    url: Name | None = Field(None, description="Address of the website, printed on invoices.")
    iban: Iban | None = Field(None, description="IBAN of the bank account that customers pay to.")
    bic: Bic | None = Field(None, description="BIC (SWIFT code) of the bank that holds the IBAN.")
    invoice_series: Series = Field(
        "F", description="Series of invoices: the letters that their numbers start with."
    )
    credit_series: Series = Field(
        "R",
        validate_default=True,
        description="Series of credit notes: the letters that their numbers start with.",
    )
    lanes: Annotated[int, Field(ge=1, le=MAX_LANES)] = Field(
        1,
        description="Number of lanes, 1 to 26, that its documents are numbered in. Each account is "
        "in one of them. With more than one lane, each has series of its own, with its letter "
        "behind the name: FA, FB … Documents of different lanes do not wait for each other, and a "
        "billing run bills all lanes at once. It can be changed at any time; a run keeps the lanes "
        "that it began with.",
    )
    accent: Colour | None = Field(
        None, description="Colour of documents, as `#rrggbb`. Omit for the default colour."
    )
    one_stop_shop: bool = Field(
        False,
        description="True if the org declares the VAT of consumers in other member states in the "
        "One Stop Shop; they are charged the rate of their own country then.",
    )
    electronic_address: ElectronicAddressDTO | None = Field(
        None,
        description="Address that the org sends e-invoices from. Default: its VAT id, if that is "
        "an address in its country, or its e-mail address.",
    )
    mail_from: Email | None = Field(
        None,
        description="Address that documents are mailed from, at a domain that the operator lets "
        "mails come from. Documents issued while there is none are not mailed by themselves. Omit "
        "to mail none.",
    )
    fiscal_regime: Annotated[FiscalRegime, Field(strict=False)] = Field(
        FiscalRegime.NONE,
        description="`VERIFACTU` declares each document to Spain's tax agency as it is issued, in "
        "the mode VERI*FACTU: for sellers in Spain that are not in SII, in the time zone "
        "Europe/Madrid or Atlantic/Canary. It can be switched off before the first document of a "
        "year only. `NONE` declares nothing.",
    )
    sandbox: bool | None = Field(
        None,
        description="True for a sandbox org. Its first token decides that. Read only.",
        json_schema_extra={"readOnly": True},
    )

    @field_validator("tax_id")
    @classmethod
    def _valid_tax_id(cls, tax_id: str, earlier: ValidationInfo) -> str:
        address = earlier.data.get("address")
        return check_tax_id(tax_id, address.country) if address else tax_id

    @field_validator("phone")
    @classmethod
    def _phone_of_a_german_seller(cls, phone: str | None, earlier: ValidationInfo) -> str | None:
        address = earlier.data.get("address")
        if address and address.country == "DE" and not has_phone(phone):
            raise ValueError(NO_PHONE)
        return phone

    @field_validator("credit_series")
    @classmethod
    def _series_of_its_own(cls, credit_series: str, earlier: ValidationInfo) -> str:
        if credit_series == earlier.data.get("invoice_series"):
            raise ValueError("must differ from invoice_series")
        return credit_series

    @classmethod
    def from_domain(cls, org: Org) -> "BillingInfo":
        return cls.model_construct(
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
            lanes=org.lanes,
            accent=org.accent,
            one_stop_shop=org.one_stop_shop,
            electronic_address=ElectronicAddressDTO.from_domain(org.electronic_address),
            mail_from=org.mail_from,
            fiscal_regime=org.fiscal_regime,
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
            lanes=self.lanes,
            accent=self.accent,
            sandbox=sandbox,
            one_stop_shop=self.one_stop_shop,
            electronic_address=(
                self.electronic_address.to_domain() if self.electronic_address else None
            ),
            mail_from=self.mail_from,
            fiscal_regime=self.fiscal_regime,
        )


class _AccountProfileDTO(Dto):
    """What a client sends about an account."""

    name: Name = Field(description="Full name of the person or organization that is billed.")
    company_name: Name | None = Field(
        None, description="Legal name of the company. Omit for a person."
    )
    email: Email = Field(description="E-mail address that invoices are sent to.")
    address: AddressDTO = Field(description="Billing address, as printed on invoices.")
    country: Country = Field(
        description="Country code (ISO 3166-1 alpha-2), same as in `address`. It decides the tax."
    )
    tax_id: TaxId | None = Field(
        None, description="Tax id, checked by the rules of `country`. Omit if there is none."
    )
    state_id: StateId | None = Field(
        None,
        validate_default=True,
        description="INE province code, in Spain only. Default: that of the postal code.",
    )
    billing_day: Annotated[int, Field(ge=1, le=31)] = Field(
        description="Day of the month on which a period ends; in shorter months, the last day."
    )
    time_zone: TimeZone = Field(
        description="IANA time zone. It decides when a billing period ends."
    )
    delivery_mode: Annotated[DeliveryMode, Field(strict=False)] = Field(
        description="How the account receives its invoices."
    )
    payment_term_days: PaymentTerm = Field(
        description="Number of days from the issue date to the due date."
    )
    currency: Currency | None = Field(
        None, description="Currency code (ISO 4217). Default: the currency of the org."
    )
    iban: Iban | None = Field(
        None, description="IBAN of the account's own bank account, for direct debits."
    )
    bic: Bic | None = Field(None, description="BIC (SWIFT code) of the bank that holds the IBAN.")
    closed: bool = Field(
        False, description="True for a closed account: nothing can be charged to it."
    )
    language: Language | None = Field(
        None,
        description="Language of the account's documents (ISO 639-1). Default: `es` in Spain, `en` "
        "elsewhere.",
    )
    vat_number_status: Annotated[VatNumberStatus, Field(strict=False)] | None = Field(
        None,
        description="Whether `tax_id` is a valid VAT number. With `valid` the account is billed as "
        "a business, with `invalid` as a consumer. With `unchecked` it is a business if it has a "
        "`tax_id` and a `company_name`. Default: the status that is known of this `tax_id`; a new "
        "one is `unchecked`.",
    )
    buyer_reference: Name | None = Field(
        None,
        description="Reference that the customer wants to find on its documents (BT-10), such as "
        "a German Leitweg-ID.",
    )
    electronic_address: ElectronicAddressDTO | None = Field(
        None,
        description="Address that the account receives e-invoices at. Default: its VAT id, if that "
        "is an address in its country, or its e-mail address.",
    )

    @field_validator("country")
    @classmethod
    def _country_of_the_address(cls, country: str, earlier: ValidationInfo) -> str:
        address = earlier.data.get("address")
        if address and address.country != country:
            raise ValueError(f"must be that of the address, which is {address.country}")
        return country

    @field_validator("tax_id")
    @classmethod
    def _valid_tax_id(cls, tax_id: str | None, earlier: ValidationInfo) -> str | None:
        country = earlier.data.get("country")
        return check_tax_id(tax_id, country) if tax_id and country else tax_id

    @field_validator("vat_number_status")
    @classmethod
    def _status_of_a_number(
        cls, status: VatNumberStatus | None, earlier: ValidationInfo
    ) -> VatNumberStatus | None:
        known = status not in (None, VatNumberStatus.UNCHECKED)
        if known and earlier.data.get("tax_id", "") is None:
            raise ValueError(f"there is no tax_id that could be {status}")
        return status

    @field_validator("state_id")
    @classmethod
    def _province(cls, state_id: int | None, earlier: ValidationInfo) -> int | None:
        country, address = earlier.data.get("country"), earlier.data.get("address")
        if country is None or address is None:
            return state_id
        if country != "ES":
            if state_id is not None:
                raise ValueError("is a province of Spain; leave it out elsewhere")
            return None
        province = province_of(address.postal_code)
        if state_id not in (None, province):
            raise ValueError(f"the postal code {address.postal_code} is in province {province}")
        return province


class AccountBillingDetailsRequestDTO(_AccountProfileDTO):
    """The billing profile of an account; what a GET answers can be sent back."""

    account_id: ReadOnly = Field(None, description="Id of the account, as in the path. Read only.")
    next_billing_date: ReadOnly = Field(
        None, description="Day on which it is billed next. Read only."
    )
    mail_state: ReadOnly = Field(None, description="State of the e-mail address. Read only.")
    current_period: ReadOnly = Field(None, description="Period of the open cycle. Read only.")

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
            language=self.language,
            vat_number_status=self.vat_number_status or VatNumberStatus.UNCHECKED,
            buyer_reference=self.buyer_reference,
            electronic_address=(
                self.electronic_address.to_domain() if self.electronic_address else None
            ),
        )


class AccountSummaryDTO(Dto):
    """An account as lists show it."""

    account_id: str = Field(description="Id of the account, unique in the org.")
    name: str = Field(description="Full name of the person or organization that is billed.")
    company_name: str | None = Field(description="Legal name of the company, or null.")
    email: str = Field(description="E-mail address that invoices are sent to.")
    country: str = Field(description="Country code (ISO 3166-1 alpha-2) of the account.")
    closed: bool = Field(description="True for a closed account: nothing can be charged to it.")

    @classmethod
    def from_domain(cls, account: Account) -> "AccountSummaryDTO":
        return cls(
            account_id=account.id,
            name=account.name,
            company_name=account.company_name,
            email=account.email,
            country=account.country,
            closed=account.closed,
        )


class AccountListDTO(Dto):
    """A page of accounts, in the order of their names."""

    accounts: list[AccountSummaryDTO] = Field(description="The accounts of this page, by name.")
    next_cursor: NextCursor

    @classmethod
    def from_domain(cls, page: Iterable[Account], next_cursor: str | None) -> "AccountListDTO":
        accounts = [AccountSummaryDTO.from_domain(each) for each in page]
        return cls(accounts=accounts, next_cursor=next_cursor)


class AccountBillingDetailsResponseDTO(_AccountProfileDTO):
    """An account's next billing date, and its billing profile as it was sent."""

    account_id: str = Field(description="Id of the account that is billed.")
    next_billing_date: Date | None = Field(
        description="The day on which the open cycle ends and is billed, in the time zone that it "
        "was opened in. Null for a closed account with nothing left to bill."
    )
    mail_state: MailState = Field(
        description="`bounced` once a mail to this `email` was returned for good, `complained` "
        "once its receiver reported one as unwanted; else `ok`, also as soon as `email` changes."
    )
    current_period: PeriodDTO = Field(
        description="Period of the open cycle. A new billing day or time zone applies to the next "
        "one."
    )

    @classmethod
    def from_domain(cls, details: BillingDetails) -> "AccountBillingDetailsResponseDTO":
        account = details.account
        return cls.model_construct(
            account_id=account.id,
            next_billing_date=details.next_billing_date,
            mail_state=details.mail_state,
            current_period=PeriodDTO.from_domain(details.open.period),
            name=account.name,
            company_name=account.company_name,
            email=account.email,
            address=AddressDTO.from_domain(account.address),
            country=account.country,
            tax_id=account.tax_id,
            state_id=account.state_id,
            billing_day=account.billing_day,
            time_zone=account.time_zone,
            delivery_mode=account.delivery_mode,
            payment_term_days=account.payment_term_days,
            currency=account.currency,
            iban=account.iban,
            bic=account.bic,
            closed=account.closed,
            language=account.language,
            vat_number_status=account.vat_number_status,
            buyer_reference=account.buyer_reference,
            electronic_address=ElectronicAddressDTO.from_domain(account.electronic_address),
        )
