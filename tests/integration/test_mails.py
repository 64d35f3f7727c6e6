"""Documents are mailed: once, to those who want it, and what comes back is known."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner

from billing import aws, clock
from billing.domain.mails import FIRST, LEASE
from billing.persistence.invoices import InvoiceRepository
from billing_cli.__main__ import cli
from tests.integration import feeds
from tests.integration.conftest import Invoker
from tests.integration.faults import refusal
from tests.integration.post import ACCOUNT, Post, post  # noqa: F401 - a fixture

NOBODY = {"mail_from": None}


# ---------------------------------------------------------------- once, when the PDF is ready


def test_a_document_is_mailed_when_its_pdf_is_ready(post: Post) -> None:  # noqa: F811
    key = post.issue()
    assert post.take() == []

    assert post.make_pdf(key) == []
    assert post.go() == 0

    [mail] = post.sent()
    assert str(mail["From"]) == '"Telco Ejemplo S.A." <facturas@example.com>'
    assert str(mail["To"]) == "Ana Pérez Ejemplo <ana@example.com>"
    assert str(mail["Reply-To"]) == '"Telco Ejemplo S.A." <facturas@telco.example>'
    assert mail["X-Envelope-To"] == "ana@example.com"
    number = f"F{clock.now().year}-000001"
    assert str(mail["Subject"]) == f"Factura {number} de Telco Ejemplo S.A."
    [pdf] = mail.iter_attachments()
    assert pdf.get_filename() == f"Factura {number}.pdf"
    assert pdf.get_content_type() == "application/pdf"
    assert pdf.get_content() == b"%PDF-made in no time"
    assert post.statuses(key) == ["sent"]


def test_it_has_a_link_to_the_page_of_the_document(post: Post) -> None:  # noqa: F811
    key = post.issue()
    post.make_pdf(key)
    post.go()

    [mail] = post.sent()
    [link] = post.invoke("share_list").json["links"]
    assert (link["revoked"], link["opened"]) == (False, 0)
    for kind in ("plain", "html"):
        body = mail.get_body((kind,))
        assert body
        [secret] = re.findall(r"https://billing\.example/p/([\w-]{43})", body.get_content())
        page = post.invoke("shared_page_get", token=secret)
        assert page.status == 200


def test_it_goes_out_once_however_often_the_stream_and_the_queue_say_so(post: Post) -> None:  # noqa: F811
    key = post.issue()
    assert post.make_pdf(key) == post.make_pdf(key) == []
    messages = post.take()
    assert len(messages) == 2

    assert post.deliver(*messages, *messages) == 0
    assert post.deliver(*reversed(messages)) == 0

    assert len(post.sent()) == 1
    assert len(post.deliveries(key)) == 1


def test_the_pdf_and_its_message_cannot_part(
    post: Post,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where the queue does not take the message, the record comes again."""
    key = post.issue()
    with monkeypatch.context() as patch:
        patch.setenv("MAIL_QUEUE", f"{post.queue}-that-is-not-there")
        assert post.make_pdf(key) == ["111"]
    assert InvoiceRepository().find_pdf(key)

    assert post.make_pdf(key) == []
    assert post.go() == 0

    assert len(post.sent()) == 1


def test_two_functions_at_once_send_one(post: Post) -> None:  # noqa: F811
    """While one sends it, the other one's message fails, and comes again when it is sent."""
    key = post.issue()
    post.make_pdf(key)
    [message] = post.take()
    failed: list[int] = []

    def meanwhile(**_: Any) -> None:
        if not failed:
            failed.append(0)
            failed[0] = post.deliver(message)

    aws.ses().meta.events.register("before-call", meanwhile, unique_id="meanwhile")
    try:
        assert post.deliver(message) == 0
    finally:
        aws.ses().meta.events.unregister("before-call", unique_id="meanwhile")

    assert failed == [1]
    assert post.deliver(message) == 0
    assert len(post.sent()) == 1


# ---------------------------------------------------------------- who is mailed, and who is not


def test_documents_issued_before_there_was_a_sender_are_not_mailed(post: Post) -> None:  # noqa: F811
    assert post.invoke("billing_info_put_org", NOBODY).status == 204
    before = post.issue("before")
    assert post.invoke("billing_info_put_org").status == 204
    after = post.issue("after")

    assert post.make_pdf(before) == post.make_pdf(after) == []
    assert post.go() == 0

    assert post.deliveries(before) == []
    assert post.statuses(after) == ["sent"]
    assert len(post.sent()) == 1


@pytest.mark.parametrize("mode", ["PAPER", "APPLICATION"])
def test_who_wants_no_mail_gets_none(post: Post, mode: str) -> None:  # noqa: F811
    assert post.invoke("billing_info_put_account", {"delivery_mode": mode}).status == 204
    key = post.issue()

    assert post.make_pdf(key) == []

    assert post.take() == []
    assert post.deliveries(key) == []


@pytest.mark.parametrize("what", ["sender", "mode", "domain"])
def test_what_is_not_wanted_any_more_is_not_sent(
    post: Post,  # noqa: F811
    what: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = post.issue()
    post.make_pdf(key)
    if what == "sender":
        assert post.invoke("billing_info_put_org", NOBODY).status == 204
    elif what == "mode":
        assert post.invoke("billing_info_put_account", {"delivery_mode": "PAPER"}).status == 204
    else:
        monkeypatch.setenv("MAIL_DOMAINS", "")

    assert post.go() == 0

    assert post.sent() == []
    assert post.deliveries(key) == []


def test_a_new_address_gets_what_was_issued_before(post: Post) -> None:  # noqa: F811
    key = post.issue()
    post.make_pdf(key)
    assert post.invoke("billing_info_put_account", {"email": "new@example.com"}).status == 204

    assert post.go() == 0

    [mail] = post.sent()
    assert mail["X-Envelope-To"] == "new@example.com"


def test_what_a_sandbox_mails_goes_to_the_org_itself(
    post: Post,  # noqa: F811
) -> None:
    post.invoke = Invoker(post.invoke.org_id, sandbox=True)
    assert post.invoke("billing_info_put_org").status == 204
    assert post.invoke("sandbox_clock_put", {"now": "2031-05-01T10:00:00Z"}).status == 204
    key = post.issue()

    post.make_pdf(key)
    assert post.go() == 0

    [mail] = post.sent()
    assert mail["X-Envelope-To"] == "facturas@telco.example"
    assert str(mail["Subject"]).startswith("MUESTRA: Factura F2031-000001")
    [listed] = post.deliveries(key)
    assert abs(datetime.fromisoformat(listed["sent_at"]) - datetime.now(UTC)) < timedelta(hours=1)


@pytest.mark.parametrize("address", ["josé@example.com", "a,b@example.com", ".a@example.com"])
def test_an_address_that_no_mail_can_go_to_fails_without_a_try(
    post: Post,  # noqa: F811
    address: str,
) -> None:
    assert post.invoke("billing_info_put_account", {"email": address}).status == 204
    key = post.issue()
    post.make_pdf(key)

    assert post.go() == 0

    assert post.sent() == []
    assert post.statuses(key) == ["failed"]


def test_a_domain_in_other_letters_is_written_in_ascii(post: Post) -> None:  # noqa: F811
    assert post.invoke("billing_info_put_account", {"email": "ana@peña.example"}).status == 204
    key = post.issue()
    post.make_pdf(key)

    assert post.go() == 0

    [mail] = post.sent()
    assert mail["X-Envelope-To"] == "ana@xn--pea-8ma.example"
    post.come_back("bounce", key, mail={"destination": ["ana@xn--pea-8ma.example"]})
    assert post.mail_state() == "bounced"


def test_what_was_erased_is_mailed_to_nobody(post: Post) -> None:  # noqa: F811
    key = post.issue()
    post.make_pdf(key)
    InvoiceRepository().erase(key, clock.now())

    assert post.go() == 0
    again = post.invoke("invoices_deliver")

    assert post.sent() == []
    assert post.deliveries(key) == []
    assert (again.status, again.json["code"]) == (410, "ERASED")


# ---------------------------------------------------------------- what SES says


@pytest.mark.parametrize(
    ("status", "code"),
    [(429, "TooManyRequestsException"), (400, "LimitExceededException")],
)
def test_what_is_over_the_quota_waits_and_is_sent_once_there_is_room(
    post: Post,  # noqa: F811
    status: int,
    code: str,
) -> None:
    key = post.issue()
    post.make_pdf(key)

    with answering(status, code):
        assert post.go() == 0

    assert post.sent() == []
    assert post.statuses(key) == ["pending"]
    assert post.invoke("share_list").json["links"] == []
    attributes = aws.sqs().get_queue_attributes(QueueUrl=post.queue, AttributeNames=["All"])
    assert attributes["Attributes"]["ApproximateNumberOfMessagesDelayed"] == "1"
    message = {"org_id": key.org_id, "account_id": ACCOUNT, "ordinal": 1, "mail_id": FIRST}
    assert post.deliver(message) == 0
    assert post.statuses(key) == ["sent"]


def test_what_ses_will_never_take_fails(post: Post) -> None:  # noqa: F811
    key = post.issue()
    post.make_pdf(key)

    with answering(400, "BadRequestException"):
        assert post.go() == 0

    assert post.statuses(key) == ["failed"]


@pytest.mark.parametrize("code", ["MessageRejected", "MailFromDomainNotVerifiedException"])
def test_what_an_operator_has_to_mend_is_an_error_and_comes_again(
    post: Post,  # noqa: F811
    code: str,
    logged: list[str],
) -> None:
    key = post.issue()
    post.make_pdf(key)
    [message] = post.take()

    with answering(400, code):
        assert post.deliver(message) == 1

    assert json.loads(logged[-1])["level"] == "ERROR"
    assert post.statuses(key) == ["pending"]


# ---------------------------------------------------------------- again


def test_a_document_is_mailed_again_once_for_each_external_id(post: Post) -> None:  # noqa: F811
    key = post.issue()
    post.make_pdf(key)
    post.go()

    first, same = post.invoke("invoices_deliver"), post.invoke("invoices_deliver")
    other = post.invoke("invoices_deliver", {"external_delivery_unique_id": "other"})
    assert post.go() == 0

    assert [first.status, same.status, other.status] == [201, 201, 201]
    assert first.json == same.json
    assert same.headers["idempotent-replayed"] == "true"
    listed = post.deliveries(key)
    assert [each["id"] for each in listed] == [other.json["id"], first.json["id"], FIRST]
    assert post.statuses(key) == ["sent"] * 3
    assert len(post.sent()) == 3


def test_the_same_external_id_of_another_document_is_refused(post: Post) -> None:  # noqa: F811
    post.issue("first")
    post.issue("second")
    assert post.invoke("invoices_deliver").status == 201

    answer = post.invoke("invoices_deliver", invoiceId=2)

    assert (answer.status, answer.json["code"]) == (409, "EXTERNAL_ID_REUSED")
    assert answer.headers["location"].endswith("/invoices/1/deliveries")


def test_a_document_of_before_there_was_a_sender_is_mailed_when_asked_to(post: Post) -> None:  # noqa: F811
    assert post.invoke("billing_info_put_org", NOBODY).status == 204
    key = post.issue()
    assert post.invoke("billing_info_put_org").status == 204

    assert post.invoke("invoices_deliver").status == 201
    assert post.go() == 0

    assert post.statuses(key) == ["sent"]


@pytest.mark.parametrize(
    ("event", "body", "code"),
    [
        pytest.param("billing_info_put_org", NOBODY, "NO_SENDER", id="nobody to send it"),
        pytest.param(
            "billing_info_put_account", {"delivery_mode": "PAPER"}, "NOT_BY_EMAIL", id="by paper"
        ),
    ],
)
def test_nothing_is_mailed_again_to_who_wants_no_mail(
    post: Post,  # noqa: F811
    event: str,
    body: Any,
    code: str,
) -> None:
    post.issue()
    assert post.invoke(event, body).status == 204

    answer = post.invoke("invoices_deliver")

    assert (answer.status, answer.json["code"]) == (409, code)
    assert post.take() == []


def test_deliveries_of_a_document_that_is_not_there_are_404(post: Post) -> None:  # noqa: F811
    for event in ("invoices_deliver", "invoices_list_deliveries"):
        assert post.invoke(event, invoiceId=7).status == 404
    key = post.issue()
    assert post.deliveries(key) == []


def test_deliveries_come_in_pages(post: Post) -> None:  # noqa: F811
    key = post.issue()
    post.make_pdf(key)
    post.go()
    made = [
        post.invoke("invoices_deliver", {"external_delivery_unique_id": each}).json["id"]
        for each in ("a", "b")
    ]

    first = post.invoke("invoices_list_deliveries", query={"limit": "2"}).json
    second = post.invoke("invoices_list_deliveries", query={"cursor": first["next_cursor"]}).json

    assert [each["id"] for each in first["deliveries"]] == made[::-1]
    assert [each["id"] for each in second["deliveries"]] == [FIRST]
    assert second["next_cursor"] is None


def test_mailing_costs_no_more_calls_than_promised(post: Post, aws_calls: Any) -> None:  # noqa: F811
    key = post.issue()
    post.make_pdf(key)
    aws_calls()

    post.go()
    assert aws_calls() == [
        "BatchGetItem", "GetObject", *["TransactWriteItems"] * 3,
    ]  # fmt: skip
    post.invoke("invoices_deliver")
    assert aws_calls() == ["BatchGetItem", "BatchGetItem", "TransactWriteItems"]
    post.deliveries(key)
    assert aws_calls() == ["Query"]
    post.come_back("bounce", key)
    assert aws_calls() == ["BatchGetItem", "TransactWriteItems"]


# ---------------------------------------------------------------- what comes back


def test_a_bounce_is_known_of_the_mail_and_of_the_account_until_the_address_changes(
    post: Post,  # noqa: F811
) -> None:
    key = post.issue()
    post.make_pdf(key)
    post.go()
    assert post.mail_state() == "ok"

    post.come_back("bounce", key)
    post.come_back("bounce", key)

    assert post.statuses(key) == ["bounced"]
    assert post.mail_state() == "bounced"
    assert post.invoke("billing_info_put_account", {"name": "Another Name"}).status == 204
    assert post.mail_state() == "bounced"
    assert post.invoke("billing_info_put_account", {"email": "new@example.com"}).status == 204
    assert post.mail_state() == "ok"
    post.come_back("bounce", key)  # late, and of the address before
    assert post.mail_state() == "ok"
    assert post.invoke("billing_info_put_account").status == 204
    assert post.mail_state() == "ok"


def test_a_complaint_outdoes_a_bounce(post: Post) -> None:  # noqa: F811
    key = post.issue()
    post.make_pdf(key)
    post.go()

    post.come_back("complaint", key)
    post.come_back("bounce", key)

    assert post.statuses(key) == ["complained"]
    assert post.mail_state() == "complained"


def test_a_mailbox_that_was_full_says_nothing_of_the_address(post: Post) -> None:  # noqa: F811
    key = post.issue()
    post.make_pdf(key)
    post.go()

    post.come_back("bounce", key, bounceType="Transient")

    assert post.statuses(key) == ["bounced"]
    assert post.mail_state() == "ok"


def test_what_came_back_tells_that_it_was_sent(
    post: Post,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The function ended before that was written down; it is not sent again all the same."""
    key = post.issue()
    post.make_pdf(key)
    [message] = post.take()
    with lost():
        assert post.deliver(message) == 1
    assert len(post.sent()) == 1

    post.come_back("bounce", key)
    later = clock.now() + LEASE
    monkeypatch.setattr(clock, "now", lambda: later)
    assert post.deliver(message) == 0

    assert len(post.sent()) == 1
    assert post.statuses(key) == ["bounced"]


def test_events_tell_of_it(post: Post) -> None:  # noqa: F811
    key = post.issue()
    post.make_pdf(key)
    post.go()
    post.come_back("bounce", key)
    post.come_back("complaint", key)

    feeds.publish_all(key.org_id)

    told = [each for each in feeds.read(post.invoke) if each["type"].startswith("email.")]
    ids = {
        "org_id": key.org_id, "account_id": ACCOUNT, "invoice_id": "1", "delivery_id": FIRST,
    }  # fmt: skip
    assert [(each["type"], each["data"]) for each in told] == [
        ("email.sent", {**ids, "version": 1}),
        ("email.bounced", {**ids, "version": 2}),
        ("email.bounced", {**ids, "version": 3}),
    ]


def test_the_command_line_lists_the_mails_of_an_account(post: Post) -> None:  # noqa: F811
    key = post.issue()
    post.make_pdf(key)
    post.go()
    post.come_back("bounce", key)

    def run(*more: str) -> list[str]:
        command = ["mail", "--org", key.org_id, "--account", ACCOUNT, *more]
        return CliRunner().invoke(cli, command, catch_exceptions=False).output.splitlines()

    address, mail = run()
    assert address == "EMAIL  bounced  ana@example.com"
    number = f"F{clock.now().year}-000001"
    assert mail.startswith(f"{number}  {FIRST}  bounced")
    assert [json.loads(each) for each in run("--json")] == post.deliveries(key)
    command = ["mail", "--org", key.org_id, "--account", "7"]
    assert "has no account 7" in CliRunner().invoke(cli, command).output


# ---------------------------------------------------------------- the sender


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("facturas@other.example", "must be an address at one of example.com"),
        ("facturas@sub.example.com", "must be an address at one of example.com"),
        ("a b@example.com", "must be an e-mail address"),
        ("a,b@example.com", "must be an address at one of example.com"),
        ("josé@example.com", "must be an address at one of example.com"),
        ("facturas@example.com\r\nBcc: x@example.com", "control"),
    ],
)
def test_a_sender_is_an_address_at_a_domain_of_the_stack(
    invoke: Invoker, address: str, message: str
) -> None:
    answer = invoke("billing_info_put_org", {"mail_from": address})

    assert answer.status == 400
    [detail] = answer.json["details"]
    assert detail["field"] == "mail_from"
    assert message in detail["message"]


def test_without_a_domain_nobody_has_a_sender(
    invoke: Invoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAIL_DOMAINS", "")

    assert invoke("billing_info_put_org", NOBODY).status == 204
    answer = invoke("billing_info_put_org", {"mail_from": "facturas@example.com"})

    assert "is not possible" in answer.json["details"][0]["message"]


def test_domains_are_compared_in_any_case(invoke: Invoker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAIL_DOMAINS", "other.example, EXAMPLE.com")

    assert invoke("billing_info_put_org", {"mail_from": "Facturas@Example.COM"}).status == 204


# ---------------------------------------------------------------- inside


class answering:  # noqa: N801 - used as a function is
    """Let SES answer an error."""

    def __init__(self, status: int, code: str) -> None:
        self._status, self._code = status, code

    def __enter__(self) -> None:
        aws.ses().meta.events.register_last("before-send", self._send, unique_id="answering")

    def __exit__(self, *_: object) -> None:
        aws.ses().meta.events.unregister("before-send", unique_id="answering")

    def _send(self, request: Any, **_: Any) -> Any:
        return refusal(aws.ses(), request, self._status, self._code)


class lost(answering):  # noqa: N801
    """Let SES take a mail, and its answer get lost."""

    def __init__(self) -> None:
        super().__init__(0, "")

    def _send(self, request: Any, **_: Any) -> Any:
        from tests.integration.faults import lose_the_answer

        return lose_the_answer(aws.ses(), request)
