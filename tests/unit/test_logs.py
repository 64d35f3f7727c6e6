"""That secrets would be found in logs, and that the gateway is not asked to log any."""

import json
import logging
import re

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from billing.api.logger import ReportedError, kind_of, logger, report, reported
from billing.domain.tokens import new_token
from tests import template
from tests.logs import secrets_in

OTHER_IBAN = "PT50000201231234567890154"
"""Nobody's in our data."""


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"for {new_token()}.", id="a token"),
        pytest.param('{"Private-Token": "?"}', id="a header"),
        pytest.param("https://s3/x?X-Amz-Signature=0", id="a signature"),
        pytest.param("?x-amz-credential=0", id="a credential"),
        pytest.param("X-Amz-Security-Token: 0", id="a session"),
        pytest.param(f"[{OTHER_IBAN}]", id="an IBAN of nobody we know"),
        pytest.param("PT50 0002 0123 1234 5678 9015 4 OF SOMEBODY", id="an IBAN in groups"),
        pytest.param("somebody.else+1@mail.example.com", id="an e-mail address"),
        pytest.param("ana  GARCÍA\nlópez", id="a name of the demo data"),
        pytest.param("Carrer de la Marina 19", id="a street of the samples"),
        pytest.param("12345678Z", id="a tax id of the events"),
        pytest.param("CAIXESBBXXX", id="a BIC"),
        pytest.param("+34 910 000 000", id="a phone number"),
    ],
)
def test_finds_it_in_whatever_form(text: str) -> None:
    event = {"body": json.dumps({"name": text})}

    for line in (text, json.dumps(text), json.dumps(event), json.dumps([json.dumps(event)])):
        assert secrets_in(["fine", line])


@pytest.mark.parametrize(
    "line",
    [
        "START RequestId: 1ad4b630-3bc5-4ade-ba59-f6e64f10bf08 Version: $LATEST",
        '{"document":"invoice#demo#100001#1","org":"org-fr7630006000011234567890189abcde"}',
        "  File app.py, line 12, in create_token\n    @app.post(TOKENS)",
        "ES9121000418450200051333 has a wrong check digit",
    ],
)
def test_finds_nothing_where_nothing_is(line: str) -> None:
    assert secrets_in([line]) == []


def test_keeps_what_any_logger_says(logged: list[str]) -> None:
    logging.getLogger("botocore").info("from %s", "below", extra={"more": "extra"})
    try:
        raise ValueError("its text")
    except ValueError:
        logging.getLogger("urllib3").exception("from elsewhere")
    logger.info("from us", extra={"id": "100001"})

    assert len(logged) == 3
    for line, words in zip(logged, ("from below extra", "its text", "from us 100001"), strict=True):
        assert all(word in line for word in words.split())


def test_an_error_is_reported_without_its_text(logged: list[str]) -> None:
    with pytest.raises(ReportedError) as raised, reported("not done", what_for="100001"):
        raise ValueError(OTHER_IBAN)

    [line] = map(json.loads, logged)
    assert str(raised.value) == ""
    assert (line["message"], line["error"], line["what_for"]) == (
        "not done",
        "ValueError",
        "100001",
    )
    assert "raise ValueError(" in line["trace"]


def test_an_error_within_an_error_is_not_told_either(logged: list[str]) -> None:
    try:
        try:
            raise ValueError(OTHER_IBAN)
        except ValueError as error:
            raise KeyError(OTHER_IBAN) from error
    except KeyError as error:
        report("not done", error)

    assert len(logged) == 1  # which is searched, like those of all tests


def test_the_gateway_logs_where_a_call_came_from_but_no_path_and_no_header() -> None:
    access_log = template.resources()["Api"]["Properties"]["AccessLogSettings"]["Format"]

    assert set(re.findall(r"\$context\.([\w.]+)", access_log)) <= {
        "error.responseType",
        "identity.sourceIp",
        "integrationErrorMessage",
        "integrationLatency",
        "integrationStatus",
        "requestId",
        "requestTime",
        "responseLatency",
        "routeKey",
        "status",
    }
    assert {"identity.sourceIp", "requestTime", "integrationLatency"} <= set(
        re.findall(r"\$context\.([\w.]+)", access_log)
    )
    assert access_log.count("$") == access_log.count("$context.")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ValueError("Ana García"), "ValueError"),
        (ClientError({"Error": {"Code": "AccessDenied"}}, "Query"), "ClientError AccessDenied"),
        (ClientError({}, "Query"), "ClientError"),
        (ConnectionClosedError(endpoint_url="http://localhost"), "ConnectionClosedError"),
    ],
)
def test_an_error_is_named_by_its_kind_and_by_the_code_of_aws(error: Exception, kind: str) -> None:
    assert kind_of(error) == kind
