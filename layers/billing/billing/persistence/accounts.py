"""
Billing profiles.

    pk                        sk                     what
    org#<org>                 profile                the org's own profile
    account#<org>#<account>   profile                the profile of one of its accounts
                              mail                   that a mail to its address came back, and how
    orgs                      <org>                  an entry for each org, to list them
    vat-numbers#<org>         <country>#<account>    an entry for each account with a VAT number, to
                                                     check them

The index `names` lists the accounts of an org's lane by `by_name`: the beginning of the name
without case and accents, and the id.

The version of a profile counts how often it was written. The fields that the first documents of
an org fix (`tax_id`, `invoice_series`, `credit_series`) are also stored beside its profile, and so
is a `fiscal_regime` that is not NONE, so that conditions can name them.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from billing import config
from billing.domain.cycles import BillableAccount
from billing.domain.errors import NotFoundError
from billing.domain.mails import NOTHING_KNOWN, AddressState, MailState
from billing.domain.names import folded, sortable
from billing.domain.numbering import lane_of_account
from billing.domain.parties import Account, Org
from billing.domain.records import (
    Record,
    account_record,
    org_record,
    to_account,
    to_json,
    to_org,
)
from billing.domain.tax_ids import vies_id
from billing.domain.tax_rates import OwnRates
from billing.persistence.cycles import open_cycle_key, to_billable_account
from billing.persistence.dynamodb import (
    SEPARATOR,
    Item,
    Key,
    check,
    delete,
    get_item,
    get_items_of,
    joined,
    key_of,
    put,
    query,
    transact,
)
from billing.persistence.lanes import behind, lane_of, list_org_wide
from billing.persistence.tax_rates import own_rates_key, to_own_rates

_ORGS = "orgs"
_BEHIND_SEPARATOR = "$"
"""The character behind the one that divides keys."""
_LAST = "\U0010ffff"
"""Behind every character of a name."""


class AccountRepository:
    """Orgs and accounts."""

    def __init__(self) -> None:
        self._table = config.accounts_table()

    def get_org(self, org_id: str) -> Org:
        return org_of(get_item(self._table, org_key(org_id)))

    def get_account(self, org_id: str, account_id: str) -> Account:
        return account_of(get_item(self._table, account_key(org_id, account_id)))

    def get_both(self, org_id: str, account_id: str) -> tuple[Org, Account]:
        """Read who bills and who is billed, in one request."""
        org, account = org_key(org_id), account_key(org_id, account_id)
        found = get_items_of(self._table, org, account)
        billed = account_of(found.get(account))
        return org_of(found.get(org)), billed

    def get_with_rates(self, org_id: str, account_id: str) -> tuple[Org, Account, OwnRates]:
        """Read who bills, who is billed, and the org's own rates of tax, in one request."""
        org, account = org_key(org_id), account_key(org_id, account_id)
        rates = own_rates_key(org_id)
        found = get_items_of(self._table, org, account, rates)
        billed = account_of(found.get(account))
        return org_of(found.get(org)), billed, to_own_rates(found.get(rates))

    def list_orgs(self, after: str | None = None) -> Iterator[str]:
        """List all orgs, from the one after `after` on."""
        options = {"ExclusiveStartKey": key_of((_ORGS, after))} if after else {}
        items = query(self._table, "pk = :pk", {":pk": {"S": _ORGS}}, **options)
        return (item["sk"]["S"] for item in items)

    def find_account(self, org_id: str, account_id: str) -> tuple[Account | None, int, int]:
        """
        Read an account and the version of its profile; None and 0 where there is none.

        Return also how many lanes the org has, in the same request.
        """
        org, account = org_key(org_id), account_key(org_id, account_id)
        found = get_items_of(self._table, org, account)
        lanes = org_of(found[org]).lanes if org in found else 1
        item = found.get(account)
        return (account_of(item), version_of(item), lanes) if item else (None, 0, lanes)

    def get_with_cycle(
        self, org_id: str, account_id: str
    ) -> tuple[Account, int, BillableAccount | None]:
        """Read an account, its profile's version, and its cycle if one is open; in one request."""
        profile, cycle = account_key(org_id, account_id), open_cycle_key(org_id, account_id)
        return _with_cycle(profile, cycle, get_items_of(self._table, profile, cycle))

    def get_details(
        self, org_id: str, account_id: str
    ) -> tuple[Account, int, BillableAccount | None, AddressState]:
        """Read the same, and what is known of the account's address."""
        profile, cycle = account_key(org_id, account_id), open_cycle_key(org_id, account_id)
        address = address_key(org_id, account_id)
        found = get_items_of(self._table, profile, cycle, address)
        return *_with_cycle(profile, cycle, found), to_address_state(found.get(address))

    def get_for_check(self, org_id: str, account_id: str) -> tuple[Org, Account, int]:
        """Read an org, one of its accounts and the version of its profile, in one request."""
        org, account = org_key(org_id), account_key(org_id, account_id)
        found = get_items_of(self._table, org, account)
        item = found.get(account)
        return org_of(found.get(org)), account_of(item), version_of(item)

    def list_vat_numbers(self, org: Org, after: str) -> Iterator[tuple[str, str]]:
        """
        List the accounts with a VAT number of another country than the org's.

        Return each with its place in the list; `after` is the place to begin behind, or empty.
        """
        own = org.address.country
        ranges = (("A", own), (f"{own}{_BEHIND_SEPARATOR}", "ZZ"))
        for first, last in ranges:
            start = max(first, f"{after}!") if after else first
            if start > last:
                continue
            items = query(
                self._table,
                "pk = :pk AND sk BETWEEN :first AND :last",
                {
                    ":pk": {"S": joined("vat-numbers", org.id)},
                    ":first": {"S": start},
                    ":last": {"S": last},
                },
            )
            for item in items:
                place = item["sk"]["S"]
                yield place, place.partition(SEPARATOR)[2]

    def replace_account(
        self, org_id: str, account: Account, known: Account | None, version: int, lanes: int
    ) -> None:
        """
        Write a profile in the place of a version, and its entry among those with a VAT number.

        It is listed by its name in its lane of so many. What came back from an address is forgotten
        with the address. Raise ContentionError where it is another version.
        """
        key, profile = account_key(org_id, account.id), account_record(account)
        by_name = place_by_name(org_id, account, lanes)
        writes = [_put_profile(self._table, key, profile, version, by_name)]
        listed = _vat_number_key(org_id, account)
        before = _vat_number_key(org_id, known) if known else None
        if listed:
            writes.append(put(self._table, listed, {}, new=False))
        if before and before != listed:
            writes.append(delete(self._table, before))
        if known and known.email != account.email:
            writes.append(delete(self._table, address_key(org_id, account.id)))
        transact(writes)

    def list_by_name(
        self, org_id: str, name: str, after: str | None, limit: int
    ) -> tuple[list[Account], str | None]:
        """
        List an org's accounts whose names begin with a text, in the order of their names.

        `after` is where a page before ended; return where this one ends, None at the end of all.
        The index lags: who was renamed meanwhile is left out.
        """
        beginning, prefix = folded(name), sortable(name)
        found = list_org_wide(
            self._table,
            "names",
            org_id,
            lanes_ever(org_id),
            "by_name",
            max(prefix, behind(after)) if after else prefix or behind(""),
            f"{prefix}{_LAST}",
            limit + 1,
        )
        page = [(item["pk"]["S"], item["sk"]["S"]) for item in found[:limit]]
        profiles = get_items_of(self._table, *page) if page else {}
        accounts = [account_of(profiles[key]) for key in page]
        return (
            [each for each in accounts if folded(each.name).startswith(beginning)],
            str(found[limit - 1]["by_name"]["S"]) if len(found) > limit else None,
        )


def lanes_ever(org_id: str) -> int:
    """Read how many lanes an org had at most: what is listed of it stands in one of them."""
    item = get_item(config.accounts_table(), org_key(org_id))
    return org_of(item).most_lanes if item else 1


def _with_cycle(
    profile: Key, cycle: Key, found: Mapping[Key, Item]
) -> tuple[Account, int, BillableAccount | None]:
    item, opened = found.get(profile), found.get(cycle)
    account, version = account_of(item), version_of(item)
    return account, version, to_billable_account(account, version, opened) if opened else None


def place_by_name(org_id: str, account: Account, lanes: int) -> dict[str, Any]:
    """Return the attributes that list an account by its name, in its lane of so many."""
    return {
        "org": {"S": lane_of(org_id, lane_of_account(account.id, lanes).letter)},
        "by_name": {"S": f"{sortable(account.name)}\t{account.id}"},
    }


def org_of(item: Item | None) -> Org:
    """Read an org's profile. Raise NotFoundError where there is none."""
    return to_org(_profile(item, "org"))


def account_of(item: Item | None) -> Account:
    """Read an account's profile. Raise NotFoundError where there is none."""
    return to_account(_profile(item, "account"))


def version_of(item: Item | None) -> int:
    """Read the version of a profile; 0 is that of none."""
    return int(item["version"]["N"]) if item else 0


def put_org(table: str, org: Org, version: int) -> list[Any]:
    """Write an org's profile in the place of a version, and that there is such an org."""
    fixed = {name: {"S": value} for name, value in _fixed(org).items() if value is not None}
    return [
        _put_profile(table, org_key(org.id), org_record(org), version, fixed),
        put(table, (_ORGS, org.id), {}, new=False),
    ]


def check_seller(table: str, org: Org) -> dict[str, Any]:
    """Return a check that the fields fixed by the first documents of an org are unchanged."""
    return check(table, org_key(org.id), _fixed(org))


def check_account(table: str, org_id: str, account_id: str, version: int) -> dict[str, Any]:
    """Return a check that the profile of an account is still that version."""
    return check(table, account_key(org_id, account_id), {"version": version})


def org_key(org_id: str) -> Key:
    return joined("org", org_id), "profile"


def account_key(org_id: str, account_id: str) -> Key:
    return joined("account", org_id, account_id), "profile"


def address_key(org_id: str, account_id: str) -> Key:
    return joined("account", org_id, account_id), "mail"


def to_address_state(item: Item | None) -> AddressState:
    if item is None:
        return NOTHING_KNOWN
    state = MailState(item["mail_state"]["S"])
    return AddressState(item["address"]["S"], state, int(item["version"]["N"]))


def put_address_state(
    table: str, org_id: str, account_id: str, state: AddressState
) -> dict[str, Any]:
    """Write what is known of an address, within a transaction, in the place of what was read."""
    return put(
        table,
        address_key(org_id, account_id),
        {
            "address": {"S": state.address},
            "mail_state": {"S": state.state.value},
            "version": {"N": str(state.version + 1)},
        },
        expected={"version": state.version} if state.version else None,
    )


def _vat_number_key(org_id: str, account: Account) -> Key | None:
    if vies_id(account.tax_id, account.country) is None:
        return None
    return joined("vat-numbers", org_id), joined(account.country, account.id)


def _fixed(org: Org) -> dict[str, str | None]:
    return {
        "tax_id": org.tax_id,
        "invoice_series": org.invoice_series,
        "credit_series": org.credit_series,
        "fiscal_regime": org.fiscal_regime.value if org.is_declared else None,
    }


def _put_profile(
    table: str, key: Key, profile: Record, version: int, beside: Item | None = None
) -> dict[str, Any]:
    return put(
        table,
        key,
        {
            "profile": {"S": to_json(profile)},
            "version": {"N": str(version + 1)},
            **(beside or {}),
        },
        expected={"version": version} if version else None,
    )


def _profile(item: Item | None, what: str) -> dict[str, Any]:
    if item is None:
        raise NotFoundError(f"The {what} has no billing profile. Create it with a PUT first.")
    profile: dict[str, Any] = orjson.loads(item["profile"]["S"])
    return profile
