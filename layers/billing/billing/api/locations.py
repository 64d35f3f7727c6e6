"""Where what was created is read: a path for each kind of resource that has an external id."""

from collections.abc import Mapping

_PATHS: Mapping[str, str] = {
    "adjustment": "account/{0}/adjustment/{1}",
    "billing_run": "billing_runs/{0}",
    "consumption": "subscription/{0}/consumptions",
    "credit_note": "accounts/{0}/invoices/{2}",
    "delivery": "accounts/{0}/invoices/{1}/deliveries",
    "fiscal_correction": "accounts/{0}/invoices/{1}/fiscal_record",
    "invoice": "accounts/{0}/invoices/{1}",
    "movement": "subscription/{0}/movement/{1}",
    "payment": "accounts/{0}/invoices/{1}/payments/{2}",
    "payment_reversal": "accounts/{0}/invoices/{1}/payments/{2}",
    "payout": "accounts/{0}/invoices/{1}/payouts/{2}",
    "refund": "subscription/{0}/movement/{1}/refund/{2}",
}
"""By kind: what follows the path of the org, from the ids of the parents and the resource's own."""


def location(org_id: str, kind: str, *ids: str) -> str:
    """Return the path of a resource of an org."""
    return f"/v1/orgs/{org_id}/{_PATHS[kind].format(*ids)}"
