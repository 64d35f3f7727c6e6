"""
Where the AWS of a test is.

A test that asks for the fixture `stack` meets the deployed one. A test that asks for `aws` alone
has an emulator that this process started, with tables, queues and bucket in it and no function; by
`pytest --aws=moto` that is moto, in this very process. Each file begins with empty tables: the
emulator reads a whole table for a query of an index, and moto copies it for a transaction.
"""

import os
import shutil
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack
from functools import cache, lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

import billing_cli.stack
from billing import aws
from billing.adapters.secrets import webhooks_key
from local import deploy, emulator
from local.stack import NAME, REGION, ROOT, Stack, from_environment
from tests import resources
from tests.documents_here import DocumentsHere
from tests.integration import aws_model, callers, roles, streams

type Settings = dict[str, str]

_MOTO = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
}
_running = ExitStack()
_here: Settings = {}


def enter_tables(backend: str, file: str) -> None:
    """
    Go where there are tables and no function, empty ones for each file of tests.

    What is asked of AWS is held to roles and limits.
    """
    is_elsewhere = _enter(_place(backend))
    _here.update(_tables(backend, file))
    os.environ.update(_here)
    if is_elsewhere:
        for client in (
            aws.dynamodb(),
            aws.s3(),
            aws.sqs(),
            aws.secrets(),
            aws.events(),
            aws.ses(),
            aws.lambda_(),
        ):
            client.meta.events.register("provide-client-params", roles.check)
            client.meta.events.register("provide-client-params", aws_model.check)
        client_of_lambda: Any = aws.lambda_()
        client_of_lambda._endpoint.http_session = DocumentsHere(_executor(backend))


def enter_stack() -> None:
    """Go where the stack is deployed, with the settings that its functions have."""
    _enter(_deployed())


def leave() -> None:
    """End what was started."""
    _running.close()


@cache
def _place(backend: str) -> Settings:
    """Start an AWS with nothing in it; return what does not depend on what is made there."""
    place = _start_moto() if backend == "moto" else _start_emulator()
    return place | {
        "DOCUMENTS_FUNCTION": DocumentsHere.NAME,
        "PUBLIC_URL": "",
        "WEBHOOKS_TO_LOOPBACK": "true",
        "EVENT_BUS": "events-of-tests",
        "FISCAL_CERTIFICATES": "tests/verifactu/",
        "TAX_AGENCY_URL": "",
        "VERIFACTU_PRODUCER_ADDRESS": "Calle Mayor 1, 30201 Cartagena (Murcia), España",
        "VERIFACTU_SIGNED_ON": "17 de mayo de 2026",
        "VERIFACTU_SIGNED_AT": "Cartagena (Murcia) - España",
        "VERIFACTU_PRODUCER": "Software Ejemplo, S.L.",
        "VERIFACTU_PRODUCER_TAX_ID": "B75777847",
        "VERIFACTU_INSTALLATION": "1",
        "VERIFACTU_SERVICE": "production",
        "MAIL_CONFIGURATION_SET": "mail-of-tests",
        "MAIL_DOMAINS": "example.com",
    }


@lru_cache(maxsize=1)
def _tables(backend: str, file: str) -> Settings:
    """Forget all that there is, and create what the template keeps data in."""
    if backend == "moto":
        _moto().reset()
    else:
        emulator.reset(os.environ["AWS_ENDPOINT_URL"])
    callers.forget()
    streams.forget()
    webhooks_key.cache_clear()
    return resources.settings(resources.create(NAME))


@cache
def _deployed() -> Settings:
    local = from_environment()
    if not emulator.answers(local):
        pytest.fail("No stack runs: `make start` first, or run everything by `make test`")
    return {**local.aws_environment(), **resources.settings(deploy.outputs(local))}


def _start_emulator() -> Settings:
    stack = Stack(emulator.free_port(), ROOT / ".local" / f"tables-{os.getpid()}")
    emulator.start(stack, keep_state=False)
    _running.callback(shutil.rmtree, stack.directory)
    _running.callback(emulator.stop, stack)
    return {**stack.aws_environment(), "MAILBOX": str(stack.mail)}


def mailbox() -> Path:
    """Return where the mails that this process had sent are kept."""
    return Path(os.environ["MAILBOX"])


@cache
def _moto() -> Any:
    from moto import mock_aws

    # It runs functions in containers; ours run in this process.
    return mock_aws(config={"core": {"passthrough": {"services": ["awslambda"], "urls": []}}})


def _start_moto() -> Settings:
    _moto().start()
    _running.callback(_moto().stop)
    return _MOTO


@cache
def _executor(backend: str) -> Executor:
    """Have a process of its own for the function that makes PDFs; moto is in this one alone."""
    if backend == "moto":
        return _running.enter_context(ThreadPoolExecutor(1))
    return _running.enter_context(ProcessPoolExecutor(1, get_context("spawn")))


def _enter(settings: Settings) -> bool:
    """Take over settings, and forget what was made with others; say whether there were others."""
    global _here  # noqa: PLW0603 - a process is in one place at a time
    if settings.items() <= _here.items():
        return False
    for name in _here:
        os.environ.pop(name, None)
    os.environ.update(settings)
    os.environ["POWERTOOLS_SERVICE_NAME"] = "billing"
    _here = settings.copy()
    for cached in (*vars(aws).values(), billing_cli.stack.outputs):
        if hasattr(cached, "cache_clear"):
            cached.cache_clear()
    return True
