"""What release 1.0.0 did not write: the places of accounts and invoices in org-wide indexes."""

from collections.abc import Iterator
from contextlib import suppress

from billing import config
from billing.domain.errors import ContentionError
from billing.domain.invoices import InvoiceKey
from billing.domain.numbering import LETTERS
from billing.persistence.accounts import (
    account_key,
    account_of,
    lanes_ever,
    place_by_name,
    version_of,
)
from billing.persistence.dynamodb import (
    SEPARATOR,
    Key,
    get_item,
    get_items_of,
    joined,
    query,
    transact,
    update,
)
from billing.persistence.invoice_items import account_pk, place_in_owed, summary_key, to_summary
from billing.persistence.lanes import lane_of


class UpgradeRepository:
    """Items that may have been written by an older release."""

    def __init__(self) -> None:
        self._accounts = config.accounts_table()
        self._invoices = config.invoices_table()

    def list_charged_accounts(self, org_id: str) -> Iterator[str]:
        """List the accounts of an org that have an open cycle."""
        for letter in LETTERS[: lanes_ever(org_id)]:
            values = {":org": {"S": lane_of(org_id, letter)}}
            for item in query(self._accounts, "org = :org", values, IndexName="due"):
                yield item["pk"]["S"].split(SEPARATOR)[2]

    def place_account(self, org_id: str, account_id: str) -> bool:
        """List an account by its name, if it is not; return whether it was not."""
        key = account_key(org_id, account_id)
        item = get_item(self._accounts, key)
        if item is None or "by_name" in item:
            return False
        return self._place(
            self._accounts,
            key,
            "SET org = :org, by_name = :by_name",
            place_by_name(org_id, account_of(item), lanes=1),
            {"version": version_of(item)},
        )

    def place_unpaid(self, org_id: str, account_id: str) -> int:
        """List an account's unpaid invoices among those of the org; return how many were not."""
        unpaid = query(
            self._invoices,
            "pk = :pk AND sk BETWEEN :oldest AND :newest",
            {
                ":pk": {"S": account_pk(org_id, account_id)},
                ":oldest": {"S": joined("unpaid", "0")},
                ":newest": {"S": joined("unpaid", "9" * 10)},
            },
        )
        placed = 0
        for item in unpaid:
            if "due" in item:
                continue
            key = InvoiceKey(org_id, account_id, int(item["sk"]["S"].split(SEPARATOR)[1]))
            head = get_items_of(self._invoices, summary_key(key))[summary_key(key)]
            placed += self._place(
                self._invoices,
                (item["pk"]["S"], item["sk"]["S"]),
                "SET org = :org, due = :due",
                place_in_owed(to_summary(key, head)),
                {"description": item["description"]["S"]},
            )
        return placed

    def _place(
        self,
        table: str,
        key: Key,
        expression: str,
        attributes: dict[str, dict[str, str]],
        expected: dict[str, int | str],
    ) -> bool:
        """Add attributes to an item; what was written meanwhile has them, or is gone."""
        values = {f":{name}": value for name, value in attributes.items()}
        with suppress(ContentionError):
            transact([update(table, key, expression, values, expected=expected)])
            return True
        return False
