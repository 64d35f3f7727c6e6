"""How an org's own profile is written; accounts.py has the items."""

from billing import config
from billing.domain.errors import SeriesTakenError, TaxpayerFixedError
from billing.domain.parties import Org
from billing.persistence.accounts import org_key, org_of, put_org, version_of
from billing.persistence.dynamodb import ConditionFailedError, get_item, transact
from billing.persistence.numbering import check_nothing_issued, check_series


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

    def replace(self, org: Org, known: Org | None, version: int) -> None:
        """
        Write an org's profile in the place of a version.

        Raise SeriesTakenError where one of its series has numbered another kind or in another
        lane, and TaxpayerFixedError where another tax id has issued documents; ContentionError
        where another version is there. The first document of a lane or of a series depends on the
        profile that it is issued with: of it and this transaction one is first, and the other
        fails.
        """
        profile = put_org(self._table, org, version)
        series = check_series(self._invoices, org)
        former = known.tax_id if known else org.tax_id
        issued = [] if former == org.tax_id else check_nothing_issued(self._invoices, org)
        try:
            transact([*profile, *series.values(), *issued])
        except ConditionFailedError as error:
            if 0 in error.failed:
                raise
            for place, name in enumerate(series, len(profile)):
                if taken := error.failed.get(place):
                    raise SeriesTakenError(name, taken["kind"]["S"]) from error
            raise TaxpayerFixedError("tax_id", former) from error
