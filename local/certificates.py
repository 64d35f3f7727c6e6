"""Certificates of the local stand-in of the tax agency: its own, and those of taxpayers."""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

_VALID = timedelta(days=3650)
_SIGNS = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)
_AUTHORITY, _SERVER, _TRUSTED = "authority.pem", "server.pem", "trusted.pem"


def authority(folder: Path) -> Path:
    """Return the file of the authority, which signs all others; create what is missing."""
    file = folder / _AUTHORITY
    if not file.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        key, name = ec.generate_private_key(ec.SECP256R1()), _name("Local authority")
        public = key.public_key()
        certificate = (
            _builder(name, name, public)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_SIGNS, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        )
        _write(file, _pem(key, certificate.sign(key, hashes.SHA256())))
    return file


def server(folder: Path) -> Path:
    """Return the file of the server's own certificate and key; create what is missing."""
    file = folder / _SERVER
    if not file.exists():
        names = x509.SubjectAlternativeName(
            [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
        )
        _write(file, _signed(folder, _name("localhost"), names))
    return file


def trusted(folder: Path) -> Path:
    """Return a file of all authorities that this machine trusts, and the local one."""
    file = folder / _TRUSTED
    system = ssl.get_default_verify_paths().cafile
    others = Path(system).read_text() if system else ""
    own = x509.load_pem_x509_certificate(authority(folder).read_bytes())
    _write(file, others + own.public_bytes(Encoding.PEM).decode())
    return file


def of_taxpayer(folder: Path, tax_id: str, legal_name: str) -> str:
    """Create a certificate of a taxpayer, and return it with its key, as PEM."""
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "ES"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, legal_name[:64]),
            x509.NameAttribute(NameOID.ORGANIZATION_IDENTIFIER, f"VATES-{tax_id}"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"{tax_id} certificate of the local stack"),
        ]
    )
    return _signed(folder, subject)


def _signed(folder: Path, subject: x509.Name, *extensions: x509.ExtensionType) -> str:
    signing = authority(folder).read_bytes()
    issuer = x509.load_pem_x509_certificate(signing)
    issuer_key: Any = load_pem_private_key(signing, password=None)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _builder(subject, issuer.subject, key.public_key())
    by = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    for extension in (by, *extensions):
        certificate = certificate.add_extension(extension, critical=False)
    return _pem(key, certificate.sign(issuer_key, hashes.SHA256()))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _VALID)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _pem(key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> str:
    written = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return (written + certificate.public_bytes(Encoding.PEM)).decode()


def _write(file: Path, content: str) -> None:
    """Write a file that its owner alone can read."""
    partial = file.with_suffix(".new")
    partial.touch(mode=0o600)
    partial.write_text(content)
    partial.replace(file)
