"""Where webhooks are sent: to the address that was checked, and to nothing private."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from billing.adapters.webhooks import WebhookSender
from billing.domain.webhooks import Outcome
from tests.integration.receiver import receiver

HOST = "hooks.example.com"


class TlsReceiver:
    """A receiver with a certificate for a host, and what it saw."""

    def __init__(self, folder: Path, host: str) -> None:
        self.file = folder / "certificate.pem"
        _write_certificate(self.file, host)
        self.names: list[str | None] = []
        self.hosts: list[str] = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.file)
        context.sni_callback = lambda _, name, __: self.names.append(name)
        hosts = self.hosts

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                hosts.append(self.headers["host"])
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_port


@contextmanager
def tls_receiver(folder: Path, host: str = HOST) -> Iterator[TlsReceiver]:
    receiving = TlsReceiver(folder, host)
    threading.Thread(target=receiving.server.serve_forever, daemon=True).start()
    try:
        yield receiving
    finally:
        receiving.server.shutdown()
        receiving.server.server_close()


def _write_certificate(file: Path, host: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    file.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(pem)
    )


def sender(addresses: list[list[str]], trusted: Path | None = None) -> WebhookSender:
    """Make a sender for which each look-up of a name has the next addresses."""
    made = WebhookSender(loopback=True, resolve=lambda _, __: addresses.pop(0))
    if trusted:
        made._tls.load_verify_locations(trusted)
    return made


@pytest.fixture
def _no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(address: object, *_: object) -> None:
        pytest.fail(f"connects to {address}")

    monkeypatch.setattr(socket, "create_connection", connect)


def test_connects_to_the_address_that_was_checked_and_names_the_host(tmp_path: Path) -> None:
    """Another look-up would have another answer: there is none."""
    with tls_receiver(tmp_path) as receiving:
        answers = [["127.0.0.1"], ["10.0.0.1"]]

        outcome = sender(answers, receiving.file).send(
            f"https://{HOST}:{receiving.port}/", b"{}", {}
        )

    assert outcome == Outcome(200)
    assert answers == [["10.0.0.1"]]
    assert receiving.names == [HOST]
    assert receiving.hosts == [f"{HOST}:{receiving.port}"]


def test_a_certificate_of_another_host_is_refused(tmp_path: Path) -> None:
    with tls_receiver(tmp_path, "other.example.com") as receiving:
        outcome = sender([["127.0.0.1"]], receiving.file).send(
            f"https://{HOST}:{receiving.port}/", b"{}", {}
        )

    assert outcome == Outcome(None)
    assert receiving.hosts == []


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    with tls_receiver(tmp_path) as receiving:
        outcome = sender([["127.0.0.1"]]).send(f"https://{HOST}:{receiving.port}/", b"{}", {})

    assert outcome == Outcome(None)
    assert receiving.hosts == []


@pytest.mark.usefixtures("_no_connection")
@pytest.mark.parametrize(
    "addresses",
    [
        ["10.0.0.1"],
        ["172.31.0.1"],
        ["192.168.0.1"],
        ["169.254.169.254"],
        ["0.0.0.0"],  # noqa: S104
        ["100.64.0.1"],
        ["fe80::1%eth0"],
        ["fd00:ec2::254"],
        ["::ffff:10.0.0.1"],
        ["::ffff:169.254.169.254"],
        ["64:ff9b::a9fe:a9fe"],
        ["2002:a00:1::"],
        ["93.184.215.14", "10.0.0.1"],
        ["93.184.215.14", "::1", "fd00::1"],
    ],
)
def test_a_name_with_an_address_that_is_not_public_is_refused(addresses: list[str]) -> None:
    assert sender([addresses]).send(f"https://{HOST}/", b"{}", {}) == Outcome(None)


@pytest.mark.usefixtures("_no_connection")
@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["::1"], ["93.184.215.14", "127.0.0.1"]])
def test_this_machine_is_refused_unless_it_is_allowed(addresses: list[str]) -> None:
    strict = WebhookSender(loopback=False, resolve=lambda _, __: addresses)

    assert strict.send(f"https://{HOST}/", b"{}", {}) == Outcome(None)


@pytest.mark.usefixtures("_no_connection")
@pytest.mark.parametrize(
    "url",
    [
        "https://localhost/",
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://0177.0.0.1/",
        "https://0x7f.1/",
        "https://[::ffff:127.0.0.1]/",
        "https://user@localhost/",
        "http://93.184.215.14/",
        "https://93.184.215.14:22/",
        "file:///etc/passwd",
    ],
)
def test_what_was_stored_is_checked_again_when_it_is_sent(url: str) -> None:
    assert WebhookSender(loopback=False).send(url, b"{}", {}) == Outcome(None)


@pytest.mark.usefixtures("_no_connection")
def test_a_name_that_does_not_exist_is_a_failure() -> None:
    def unknown(*_: object) -> list[str]:
        raise socket.gaierror

    unresolved = WebhookSender(loopback=False, resolve=unknown)

    assert unresolved.send(f"https://{HOST}/", b"{}", {}) == Outcome(None)


def test_no_proxy_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with receiver() as receiving:
        assert WebhookSender(loopback=True).send(receiving.url, b"{}", {}) == Outcome(204)


@pytest.mark.parametrize(
    ("said", "waits"),
    [
        ("120", timedelta(seconds=120)),
        ("0", timedelta()),
        ("9" * 50, timedelta(seconds=10**8)),
        ("-5", None),
        ("soon", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", timedelta()),
    ],
)
def test_reads_how_long_to_wait(said: str, waits: timedelta | None) -> None:
    with receiver() as receiving:
        receiving.status, receiving.headers = 503, {"retry-after": said}

        outcome = WebhookSender(loopback=True).send(receiving.url, b"{}", {})

    assert outcome == Outcome(503, waits)


def test_an_answer_that_drips_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("billing.adapters.webhooks.TIMEOUT_SECONDS", 0.4)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                for _ in range(40):
                    try:
                        connection.sendall(b"H")
                    except OSError:
                        return
                    threading.Event().wait(0.05)

        threading.Thread(target=drip, daemon=True).start()
        began = datetime.now(UTC)

        outcome = WebhookSender(loopback=True).send(f"http://127.0.0.1:{port}/", b"{}", {})

    assert outcome == Outcome(None)
    assert datetime.now(UTC) - began < timedelta(seconds=1.5)
