"""What is sent to webhooks, where to, and when again."""

from base64 import b64decode
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from standardwebhooks.webhooks import Webhook

from billing.domain.errors import InvalidRequestError
from billing.domain.events import EventType
from billing.domain.webhooks import (
    SCHEDULE,
    SECRET_PREFIX,
    Delivery,
    DeliveryStatus,
    Endpoint,
    Outcome,
    check_url,
    is_public,
    secret_of,
    signatures,
)

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
ENDPOINT = Endpoint("acme", "e1", "https://hooks.example.com", frozenset(), NOW)
DELIVERY = Delivery("acme", "e1", "evt_1", 7, NOW)
FAILED = Outcome(500)


def test_signs_as_the_specification_does() -> None:
    """The vector that Standard Webhooks 1.0.0 publishes."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    message, timestamp = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330
    body = b'{"test": 2432232314}'

    signature = signatures([b64decode(secret[6:])], message, timestamp, body)

    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_receiver_verifies_either_of_two_signatures() -> None:
    secrets = [secret_of(b"key", ENDPOINT, generation) for generation in (2, 1)]
    keys = [b64decode(each.removeprefix(SECRET_PREFIX)) for each in secrets]
    timestamp = int(datetime.now(UTC).timestamp())
    headers = {
        "webhook-id": "evt_1",
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signatures(keys, "evt_1", timestamp, b'{"a": 1}'),
    }

    for secret in secrets:
        assert Webhook(secret).verify(b'{"a": 1}', headers) == {"a": 1}


def test_secrets_differ_by_org_endpoint_rotation_and_stack() -> None:
    others = [
        ENDPOINT,
        Endpoint("acme", "e2", "https://a.example", frozenset(), NOW),
        Endpoint("b", "e1", "https://a.example", frozenset(), NOW),
    ]
    secrets = {
        secret_of(key, each, generation)
        for key in (b"one", b"another")
        for each in others
        for generation in (1, 2)
    }

    assert len(secrets) == 12
    assert all(len(b64decode(each.removeprefix("whsec_"))) == 32 for each in secrets)


def test_for_a_day_the_old_secret_signs_too_however_often_it_is_rotated() -> None:
    once = ENDPOINT.rotated(NOW)
    twice = once.rotated(NOW + timedelta(hours=1))

    assert ENDPOINT.generations(NOW) == [1]
    assert once.generations(NOW + timedelta(hours=23)) == [2, 1]
    assert once.generations(NOW + timedelta(hours=24)) == [2]
    assert twice.generations(NOW + timedelta(hours=2)) == [3, 2, 1]
    assert twice.generations(NOW + timedelta(hours=24)) == [3, 2]


# ---------------------------------------------------------------- where to

ALLOWED = [
    "https://hooks.example.com",
    "https://hooks.example.com/a/b?c=d",
    "https://hooks.example.com:8443/",
    "https://93.184.215.14/",
    "https://[2606:4700::6810:84e5]/",
]
FORBIDDEN = [
    "http://hooks.example.com/",
    "ftp://hooks.example.com/",
    "//hooks.example.com/",
    "hooks.example.com",
    "https://",
    "https:///path",
    "https://user@hooks.example.com/",
    "https://user:word@hooks.example.com/",
    "https://hooks.example.com@127.0.0.1/",
    "https://hooks.example.com#@127.0.0.1/",
    "https://hooks.example.com:22/",
    "https://hooks.example.com:25/",
    "https://hooks.example.com:80/",
    "https://hooks.example.com:0/",
    "https://hooks.example.com:99999/",
    "https://hooks.example.com:x/",
    "https://hooks.example.com/ a",
    "https://hooks.example.com/\r\nx: y",
    "https://hooks.example.com\\@127.0.0.1/",
    "https://127.0.0.1/",
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0177.0.0.1/",
    "https://0x7f.0.0.1/",
    "https://0/",
    "https://0.0.0.0/",
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://192.168.1.1/",
    "https://100.64.0.1/",
    "https://169.254.169.254/latest/meta-data",
    "https://2852039166/",
    "https://192.0.2.1/",
    "https://198.18.0.1/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://[::1]/",
    "https://[::]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:169.254.169.254]/",
    "https://[::127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[2001:0:7f00:1::]/",
    "https://[fe80::1]/",
    "https://[fe80::1%25eth0]/",
    "https://[fc00::1]/",
    "https://[fd00:ec2::254]/",
    "https://[ff02::1]/",
    "https://[2001:db8::1]/",
    "https://hóoks.example.com/",
]


@pytest.mark.parametrize("url", ALLOWED)
def test_sends_to_public_https_addresses(url: str) -> None:
    assert check_url(url, loopback=False) == url


@pytest.mark.parametrize("url", FORBIDDEN)
def test_sends_nowhere_else(url: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        check_url(url, loopback=False)

    assert [each.field for each in refused.value.details] == ["url"]


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080/", "http://localhost:8080/a", "http://[::1]:80/"]
)
def test_sends_to_this_machine_where_that_is_allowed(url: str) -> None:
    assert check_url(url, loopback=True) == url


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1/", "http://169.254.169.254/", "http://hooks.example.com/"]
)
def test_that_allows_nothing_else(url: str) -> None:
    with pytest.raises(InvalidRequestError):
        check_url(url, loopback=True)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True),
        ("2606:4700::6810:84e5", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("169.254.169.254", False),
        ("100.100.100.200", False),
        ("0.0.0.0", False),  # noqa: S104
        ("240.0.0.1", False),
        ("::ffff:93.184.215.14", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::a00:1", False),
        ("fe80::1", False),
        ("fd00:ec2::254", False),
    ],
)
def test_knows_public_addresses(address: str, public: bool) -> None:
    assert is_public(ip_address(address)) is public


# ---------------------------------------------------------------- when again


def test_is_tried_by_the_schedule_and_then_no_more() -> None:
    delivery, now, pauses = DELIVERY, NOW, []
    while True:
        delivery = delivery.after(FAILED, ENDPOINT, now, jitter=0)
        if delivery.next_attempt_at is None:
            break
        pauses.append(delivery.next_attempt_at - now)
        now = delivery.next_attempt_at

    assert pauses == list(SCHEDULE)
    assert [each.total_seconds() for each in pauses] == [
        5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400,
    ]  # fmt: skip
    assert (delivery.attempts, delivery.status) == (10, DeliveryStatus.FAILED)


def test_a_pause_is_up_to_a_tenth_longer() -> None:
    delivery = DELIVERY.after(FAILED, ENDPOINT, NOW, jitter=1)

    assert delivery.next_attempt_at == NOW + timedelta(seconds=5.5)


@pytest.mark.parametrize(
    ("asked", "waits"),
    [
        (timedelta(seconds=2), timedelta(seconds=5)),
        (timedelta(minutes=20), timedelta(minutes=20)),
        (timedelta(days=9), timedelta(days=1)),
    ],
)
def test_waits_as_long_as_the_receiver_asks_for(asked: timedelta, waits: timedelta) -> None:
    delivery = DELIVERY.after(Outcome(503, asked), ENDPOINT, NOW, jitter=0)

    assert delivery.next_attempt_at == NOW + waits


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_any_2xx_is_a_success(status: int) -> None:
    delivery = DELIVERY.after(Outcome(status), ENDPOINT, NOW, jitter=0)

    assert (delivery.status, delivery.response_status) == (DeliveryStatus.DELIVERED, status)
    assert delivery.next_attempt_at is None


@pytest.mark.parametrize("status", [None, 100, 301, 302, 307, 400, 404, 429, 500])
def test_all_else_is_a_failure_redirects_included(status: int | None) -> None:
    delivery = DELIVERY.after(Outcome(status), ENDPOINT, NOW, jitter=0)

    assert (delivery.status, delivery.response_status) == (DeliveryStatus.PENDING, status)


def test_410_disables_the_endpoint_and_fails_the_delivery() -> None:
    gone = Outcome(410)

    endpoint = ENDPOINT.after(gone, NOW)

    assert endpoint.disabled_at == NOW
    assert DELIVERY.after(gone, endpoint, NOW, jitter=0).status is DeliveryStatus.FAILED
    assert not endpoint.takes(EventType.INVOICE_PAID, NOW)


def test_five_days_of_failure_disable_it_and_a_success_begins_anew() -> None:
    failing = ENDPOINT.after(FAILED, NOW)
    later = failing.after(FAILED, NOW + timedelta(days=4))
    well = later.after(Outcome(200), NOW + timedelta(days=4, hours=1))
    again = well.after(FAILED, NOW + timedelta(days=5))
    at_last = again.after(FAILED, NOW + timedelta(days=10))

    assert failing.failing_since == later.failing_since == NOW
    assert well.failing_since is None
    assert again.disabled_at is None
    assert at_last.disabled_at == NOW + timedelta(days=10)
    assert ENDPOINT.after(Outcome(200), NOW) is ENDPOINT


def test_replaying_begins_the_schedule_anew() -> None:
    failed = DELIVERY
    for _ in range(10):
        failed = failed.after(FAILED, ENDPOINT, NOW, jitter=0)

    again = failed.again(NOW).after(FAILED, ENDPOINT, NOW, jitter=0)

    assert (again.status, again.attempts) == (DeliveryStatus.PENDING, 11)
    assert again.next_attempt_at == NOW + timedelta(seconds=5)


def test_an_endpoint_takes_its_types_from_its_creation_on() -> None:
    some = Endpoint("acme", "e1", "https://a.example", frozenset({EventType.INVOICE_PAID}), NOW)

    assert some.takes(EventType.INVOICE_PAID, NOW)
    assert not some.takes(EventType.INVOICE_ISSUED, NOW)
    assert not some.takes(EventType.INVOICE_PAID, NOW - timedelta(seconds=1))
    assert ENDPOINT.takes(EventType.INVOICE_ISSUED, NOW)
