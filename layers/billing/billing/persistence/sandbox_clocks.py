"""
The clocks of sandbox orgs, in the accounts' table.

    pk           sk       what
    org#<org>    clock    the current time of a sandbox org, and how often it was set
"""

from collections.abc import Mapping

from billing import config
from billing.domain.numbering import LETTERS, ChainEnd
from billing.domain.parties import Org
from billing.domain.records import instant
from billing.domain.sandbox_clocks import SandboxClock
from billing.persistence.accounts import org_key, org_of
from billing.persistence.dynamodb import check, get_items, put, transact
from billing.persistence.numbering import lane_key, to_chain_end
from billing.persistence.org_time import clock_key, to_clock


class SandboxClockRepository:
    """The clocks of all sandbox orgs."""

    def __init__(self) -> None:
        self._table = config.accounts_table()
        self._invoices = config.invoices_table()

    def get_for_move(self, org_id: str) -> tuple[SandboxClock, Org | None, Mapping[str, ChainEnd]]:
        """Read a clock, its org's profile, if any, and the last document of each lane."""
        clock, org = clock_key(org_id), org_key(org_id)
        lanes = {letter: lane_key(org_id, letter) for letter in LETTERS}
        found = get_items({self._table: [clock, org], self._invoices: lanes.values()})
        profile = found.get((self._table, *org))
        return (
            to_clock(found.get((self._table, *clock))),
            org_of(profile) if profile else None,
            {
                letter: to_chain_end(found.get((self._invoices, *key), {}))
                for letter, key in lanes.items()
            },
        )

    def move(self, org_id: str, clock: SandboxClock, ends: Mapping[str, ChainEnd]) -> None:
        """
        Write a clock, if no other request has set it and no document was issued after `ends`.

        Raise ContentionError otherwise.
        """
        at, is_first = clock.now, clock.version == 1
        transact(
            [
                *(
                    check(
                        self._invoices,
                        lane_key(org_id, letter),
                        {"last_position": end.position} if end.position else {},
                    )
                    for letter, end in ends.items()
                ),
                put(
                    self._table,
                    clock_key(org_id),
                    {
                        "clock_time": {"S": instant(at)} if at else {"NULL": True},
                        "version": {"N": str(clock.version)},
                    },
                    expected=None if is_first else {"version": clock.version - 1},
                ),
            ]
        )
