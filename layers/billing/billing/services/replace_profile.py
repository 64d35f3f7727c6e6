"""Create or replace the profile of an org or of an account."""

from collections.abc import Collection
from dataclasses import replace
from datetime import date, datetime
from typing import Protocol

from billing import deadline
from billing.domain.errors import InvalidRequestError, TaxpayerFixedError
from billing.domain.numbering import are_a_letter_apart
from billing.domain.parties import Account, FiscalRegime, Org
from billing.domain.periods import local_date
from billing.domain.verifactu import FiscalLanes, System, check_seller, check_switch
from billing.domain.versions import check_version


class Orgs(Protocol):
    def find(self, org_id: str) -> tuple[Org | None, int]: ...

    def find_lanes(self, org_id: str, today: date) -> FiscalLanes: ...

    def replace(
        self, org: Org, known: Org | None, version: int, switched: FiscalLanes | None = None
    ) -> None: ...


class Accounts(Protocol):
    def find_account(self, org_id: str, account_id: str) -> tuple[Account | None, int, int]: ...

    def replace_account(
        self, org_id: str, account: Account, known: Account | None, version: int, lanes: int
    ) -> None: ...


def replace_org(
    org: Org,
    *,
    now: datetime,
    versions: Collection[int] | None,
    orgs: Orgs,
    system: System | None,
) -> int:
    """
    Create or replace an org's profile and return its version.

    `versions` are those that the caller knows, None for any; a profile that changes nothing is not
    written. Its country never changes: another taxpayer is another org. Its logo stays. Its series
    must not be a letter apart, as lanes add a letter; two that were so before can stay while there
    is one lane. With the fiscal regime VERIFACTU, `system` is what its records are made by.
    """
    if org.is_declared:
        check_seller(org, system)

    def change() -> int:
        known, version = orgs.find(org.id)
        most_lanes = max(org.lanes, known.most_lanes if known else 1)
        asked = replace(org, logo=known.logo if known else None, most_lanes=most_lanes)
        is_said = known == asked
        check_version(version, versions, is_said=is_said)
        if is_said:
            return version
        if known and known.address.country != org.address.country:
            raise TaxpayerFixedError("address.country", known.address.country)
        if org.is_declared and org.lanes > 1:
            raise InvalidRequestError.of(
                "lanes", f"must be 1 with {org.fiscal_regime.value}: fiscal records are one chain"
            )
        if are_a_letter_apart(*_series(org)) and not (
            known and _series(known) == _series(org) and org.lanes == 1
        ):
            raise InvalidRequestError.of(
                "credit_series",
                f"and invoice_series must not be a letter apart: with lanes, {min(_series(org))} "
                "numbers with one more letter",
            )
        former = known.fiscal_regime if known else FiscalRegime.NONE
        lanes = None
        if former is not org.fiscal_regime:
            lanes = orgs.find_lanes(org.id, local_date(now, org.time_zone))
            check_switch(org, lanes)
        orgs.replace(asked, known, version, lanes)
        return version + 1

    return deadline.retry(change)


def replace_account(
    org_id: str,
    account: Account,
    *,
    names_vat_status: bool,
    versions: Collection[int] | None,
    accounts: Accounts,
) -> int:
    """
    Create or replace an account's profile and return its version; as replace_org() does.

    Where the caller does not name the status of the tax id, the one that is known of it stays.
    """

    def change() -> int:
        known, version, lanes = accounts.find_account(org_id, account.id)
        asked = account if names_vat_status or known is None else _keep_vat_status(account, known)
        is_said = known == asked
        check_version(version, versions, is_said=is_said)
        if is_said:
            return version
        accounts.replace_account(org_id, asked, known, version, lanes)
        return version + 1

    return deadline.retry(change)


def _series(org: Org) -> tuple[str, str]:
    return org.invoice_series, org.credit_series


def _keep_vat_status(account: Account, known: Account) -> Account:
    """Return the account with the known status of its tax id, if that is still the same."""
    if (account.tax_id, account.country) != (known.tax_id, known.country):
        return account
    return replace(account, vat_number_status=known.vat_number_status)
