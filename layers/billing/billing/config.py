"""The settings of a function: the environment template.yaml gives it, read when needed."""

import os


def accounts_table() -> str:
    return os.environ["ACCOUNTS_TABLE"]


def invoices_table() -> str:
    return os.environ["INVOICES_TABLE"]


def movements_table() -> str:
    return os.environ["MOVEMENTS_TABLE"]


def refunds_table() -> str:
    return os.environ["REFUNDS_TABLE"]


def tokens_table() -> str:
    return os.environ["TOKENS_TABLE"]


def documents_bucket() -> str:
    return os.environ["DOCUMENTS_BUCKET"]


def documents_function() -> str:
    return os.environ["DOCUMENTS_FUNCTION"]
