"""Surroundings: the context of a new movement or usage record: profiles and open cycle."""

from collections.abc import Mapping
from typing import Any

from billing.domain.cycles import OpenCycle
from billing.domain.movements import Surroundings
from billing.persistence.accounts import account_key, account_of, org_key, org_of
from billing.persistence.cycles import (
    check_open_cycle,
    open_cycle_key,
    put_open_cycle,
    to_open_cycle,
)
from billing.persistence.dynamodb import Item, Key
from billing.persistence.tax_rates import own_rates_key, to_own_rates


def surroundings_keys(org_id: str, account_id: str) -> list[Key]:
    """Return the keys of the items to read, all in the accounts' table."""
    return [
        org_key(org_id),
        account_key(org_id, account_id),
        open_cycle_key(org_id, account_id),
        own_rates_key(org_id),
    ]


def to_surroundings(
    found: Mapping[tuple[str, str, str], Item],
    table: str,
    org_id: str,
    account_id: str,
    owner: Item | None,
) -> Surroundings:
    """
    Return the surroundings from the items of these keys; `owner` names the subscription's account.

    Raise NotFoundError where the org or the account has no profile.
    """
    cycle = found.get((table, *open_cycle_key(org_id, account_id)))
    return Surroundings(
        org=org_of(found.get((table, *org_key(org_id)))),
        account=account_of(found.get((table, *account_key(org_id, account_id)))),
        owner_id=owner["account_id"]["S"] if owner else None,
        cycle=to_open_cycle(cycle) if cycle else None,
        rates=to_own_rates(found.get((table, *own_rates_key(org_id)))),
    )


def depend_on_cycle(table: str, to: Surroundings, cycle: OpenCycle) -> dict[str, Any]:
    """Return the check that a cycle is the open one; the put of it where it is the first one."""
    if to.cycle is None:
        return put_open_cycle(table, to.org, to.account.id, cycle)
    return check_open_cycle(table, open_cycle_key(to.org.id, to.account.id), cycle.ends_on)
