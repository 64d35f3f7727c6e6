"""The settings of a function: the environment template.yaml gives it, read when needed."""

import os


def is_kept_as_snapshot() -> bool:
    """Return whether Lambda keeps a snapshot of the function once it is imported (SnapStart)."""
    return os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start"


def accounts_table() -> str:
    return os.environ["ACCOUNTS_TABLE"]


def consumptions_table() -> str:
    return os.environ["CONSUMPTIONS_TABLE"]


def invoices_table() -> str:
    return os.environ["INVOICES_TABLE"]


def movements_table() -> str:
    return os.environ["MOVEMENTS_TABLE"]


def refunds_table() -> str:
    return os.environ["REFUNDS_TABLE"]


def tokens_table() -> str:
    return os.environ["TOKENS_TABLE"]


def billing_runs_table() -> str:
    return os.environ["BILLING_RUNS_TABLE"]


def events_table() -> str:
    return os.environ["EVENTS_TABLE"]


def webhooks_table() -> str:
    return os.environ["WEBHOOKS_TABLE"]


def links_table() -> str:
    return os.environ["LINKS_TABLE"]


def public_url() -> str:
    """Return where customers reach the API, with its scheme; "" for the host that was called."""
    return os.environ["PUBLIC_URL"]


def webhooks_queue() -> str:
    return os.environ["WEBHOOKS_QUEUE"]


def mail_queue() -> str:
    return os.environ["MAIL_QUEUE"]


def mail_configuration_set() -> str:
    """Return the name of the configuration set of SES that mails are sent with."""
    return os.environ["MAIL_CONFIGURATION_SET"]


def mail_domains() -> list[str]:
    """Return the domains that mails may be sent from, in lower case."""
    return [each.strip().lower() for each in os.environ["MAIL_DOMAINS"].split(",") if each.strip()]


def event_bus() -> str:
    return os.environ["EVENT_BUS"]


def webhooks_key() -> str:
    """Return the name of the secret that the secrets of webhooks follow from."""
    return os.environ["WEBHOOKS_KEY"]


def webhooks_to_loopback() -> bool:
    """Return whether webhooks may be sent to this machine, which tests need."""
    return os.environ["WEBHOOKS_TO_LOOPBACK"] == "true"


def runs_queue() -> str:
    return os.environ["RUNS_QUEUE"]


def batches_queue() -> str:
    return os.environ["BATCHES_QUEUE"]


def audits_queue() -> str:
    return os.environ["AUDITS_QUEUE"]


def lookups_queue() -> str:
    return os.environ["LOOKUPS_QUEUE"]


def fiscal_records_queue() -> str:
    return os.environ["FISCAL_RECORDS_QUEUE"]


def fiscal_certificates() -> str:
    """Return what the names of secrets with certificates of taxpayers begin with."""
    return os.environ["FISCAL_CERTIFICATES"]


def tax_agency_url() -> str:
    """Return the address of a stand-in of the tax agency; empty for the agency itself."""
    return os.environ["TAX_AGENCY_URL"]


def exchange_rates_url() -> str:
    return os.environ["EXCHANGE_RATES_URL"]


def vies_url() -> str:
    return os.environ["VIES_URL"]


def verifactu_producer() -> str:
    """Return who answers for this software before Spain's tax agency; empty where nobody does."""
    return os.environ["VERIFACTU_PRODUCER"]


def verifactu_producer_tax_id() -> str:
    return os.environ["VERIFACTU_PRODUCER_TAX_ID"]


def verifactu_installation() -> str:
    return os.environ["VERIFACTU_INSTALLATION"]


def verifactu_service() -> str:
    return os.environ["VERIFACTU_SERVICE"]


def verifactu_producer_address() -> str:
    return os.environ["VERIFACTU_PRODUCER_ADDRESS"]


def verifactu_signed_on() -> str:
    return os.environ["VERIFACTU_SIGNED_ON"]


def verifactu_signed_at() -> str:
    return os.environ["VERIFACTU_SIGNED_AT"]


def documents_bucket() -> str:
    return os.environ["DOCUMENTS_BUCKET"]


def documents_function() -> str:
    return os.environ["DOCUMENTS_FUNCTION"]
