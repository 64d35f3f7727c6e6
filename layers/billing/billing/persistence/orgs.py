"""
How an org's own profile is written, in the accounts' table; accounts.py has its item.

    pk                        sk          what
    fiscal-series#<tax_id>    <series>    the one org that declares documents of that series of that
                                          taxpayer, for ever
"""

from datetime import date
from typing import Any

from billing import config
from billing.domain.errors import FiscalRegimeError, SeriesTakenError, TaxpayerFixedError
from billing.domain.invoices import InvoiceKind
from billing.domain.numbering import LANE, LETTERS, series_of
from billing.domain.parties import Org
from billing.domain.verifactu import FiscalLanes, spanish_tax_id
from billing.persistence.accounts import org_key, org_of, put_org, version_of
from billing.persistence.dynamodb import (
    ConditionFailedError,
    check,
    date_of,
    get_item,
    int_of,
    joined,
    put_any,
    query,
    transact,
    update,
)
from billing.persistence.fiscal_items import to_fiscal_end
from billing.persistence.numbering import check_nothing_issued, check_series, lane_key


class OrgRepository:
    """The profiles of all orgs."""

    def __init__(self) -> None:
        self._table = config.accounts_table()
        self._invoices = config.invoices_table()

    def get(self, org_id: str) -> tuple[Org, int]:
        """Read an org's profile and its version. Raise NotFoundError where there is none."""
        item = get_item(self._table, org_key(org_id))
        return org_of(item), version_of(item)

    def find(self, org_id: str) -> tuple[Org | None, int]:
        """Read an org's profile and its version; None and 0 where there is none."""
        item = get_item(self._table, org_key(org_id))
        return (org_of(item), version_of(item)) if item else (None, 0)

    def find_lanes(self, org_id: str, today: date) -> FiscalLanes:
        """Read the ends of an org's lanes, which a switch of its fiscal regime writes today."""
        pk = {":pk": {"S": lane_key(org_id, LANE.letter)[0]}}
        lanes = {item["sk"]["S"]: item for item in query(self._invoices, "pk = :pk", pk)}
        days = [date_of(item, "issue_date") for item in lanes.values()]
        return FiscalLanes(
            positions={letter: int_of(item, "last_position") for letter, item in lanes.items()},
            last_issue=max((day for day in days if day), default=None),
            end=to_fiscal_end(lanes.get(LANE.letter, {})),
            today=today,
        )

    def replace(
        self, org: Org, known: Org | None, version: int, switched: FiscalLanes | None = None
    ) -> None:
        """
        Write an org's profile in the place of a version.

        Raise SeriesTakenError where one of its series has numbered another kind or in another
        lane, and TaxpayerFixedError where another tax id has issued documents; FiscalRegimeError
        where another org declares documents of the same series of the same taxpayer;
        ContentionError where another version is there. The first document of a lane or of a series
        depends on the profile that it is issued with: of it and this transaction one is first, and
        the other fails. Where the fiscal regime is `switched`, that holds for every document.
        """
        former = known.tax_id if known else org.tax_id
        is_other = former != org.tax_id
        if is_other and switched and switched.positions:
            raise TaxpayerFixedError("tax_id", former)
        profile = put_org(self._table, org, version)
        series = check_series(self._invoices, org)
        declared = self._fiscal_series(org) if org.is_declared else []
        lanes = self.lane_writes(org, switched) if switched else []
        issued = check_nothing_issued(self._invoices, org) if is_other and not lanes else []
        try:
            transact([*profile, *series.values(), *declared, *lanes, *issued])
        except ConditionFailedError as error:
            if 0 in error.failed:
                raise
            for place, name in enumerate(series, len(profile)):
                if taken := error.failed.get(place):
                    raise SeriesTakenError(name, taken["kind"]["S"]) from error
            first = len(profile) + len(series)
            if any(first <= place < first + len(declared) for place in error.failed):
                raise FiscalRegimeError(
                    f"another org declares documents of {org.tax_id} in one of the series "
                    f"{org.invoice_series} and {org.credit_series}; choose others"
                ) from error
            if lanes:
                raise
            raise TaxpayerFixedError("tax_id", former) from error

    def lane_writes(self, org: Org, lanes: FiscalLanes) -> list[Any]:
        """
        Return the writes of a switch into the ends of all lanes that an org ever had.

        What is being issued meanwhile depends on them, or else on the profile: it starts again,
        and where nothing is declared any more, it is dated on the day of the switch at the
        earliest, as all of the year before is declared.
        """
        if org.is_declared:
            change, named = "SET fiscal_regime = :now", org.fiscal_regime.value
        else:
            change, named = "SET issue_date = :now REMOVE fiscal_regime", lanes.today.isoformat()
        writes = []
        for letter in LETTERS[: org.most_lanes]:
            key = lane_key(org.id, letter)
            if letter not in lanes.positions:
                writes.append(check(self._invoices, key, {}))
                continue
            expected: dict[str, int | str | None] = {"last_position": lanes.positions[letter]}
            if letter == LANE.letter:
                expected["fiscal_position"] = lanes.end.position or None
            writes.append(
                update(self._invoices, key, change, {":now": {"S": named}}, expected=expected)
            )
        return writes

    def _fiscal_series(self, org: Org) -> list[Any]:
        """Return the puts of what the org declares: numbers of a taxpayer must not meet."""
        taxpayer = joined("fiscal-series", spanish_tax_id(org.tax_id) or "")
        return [
            put_any(
                self._table,
                (taxpayer, series_of(org, kind, LANE)),
                {"org_id": {"S": org.id}},
                {"org_id": org.id},
            )
            for kind in InvoiceKind
        ]
