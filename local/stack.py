"""Where one local stack lives: its port, its folder, its addresses."""

import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_PORT = 4566
NAME = "billing"
REGION = "us-east-1"
LOOPBACK = ("localhost", "127.0.0.1", "::1")
ARCHITECTURE = "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"


class StackError(Exception):
    """The stack cannot go on; the message says what to do about it."""


@dataclass(frozen=True)
class Stack:
    """One local stack. Two of them differ in port and folder, and share nothing else."""

    port: int
    directory: Path

    @property
    def base_url(self) -> str:
        """The API. A plain host name, as few clients resolve `<id>.execute-api.localhost`."""
        return f"http://localhost:{self.port}"

    @property
    def endpoint(self) -> str:
        """AWS. An IP address, so that S3 links put the bucket in the path, not in the host."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def file(self) -> Path:
        """The file that describes the running stack: see write_stack_file."""
        return self.directory / "stack.json"

    @property
    def state(self) -> Path:
        """The folder that the emulator keeps between two starts."""
        return self.directory / "state"

    @property
    def mail(self) -> Path:
        """The mailbox: every mail that was sent, as a file."""
        return self.state / "mail"

    @property
    def tax_agency_port(self) -> int:
        """The port of the stand-in of the tax agency, which speaks TLS: the next one."""
        return self.port + 1

    @property
    def tax_agency(self) -> Path:
        """The folder of the stand-in of the tax agency: certificates, and what it was sent."""
        return self.state / "tax-agency"

    @property
    def api_id_file(self) -> Path:
        """The file that names the API at base_url, for the gateway."""
        return self.state / "api_id"

    def aws_environment(self) -> dict[str, str]:
        """Settings that point boto3, sam and the project's own code at this stack."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            **without_proxy(),
        }


def without_proxy() -> dict[str, str]:
    """Settings by which no program asks a proxy for this machine itself."""
    said = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    hosts = [host for host in said.split(",") if host and host not in LOOPBACK]
    return dict.fromkeys(("NO_PROXY", "no_proxy"), ",".join([*hosts, *LOOPBACK]))


def from_environment() -> Stack:
    """Read GATEWAY_PORT and LOCAL_DIR; every port but the default one has a folder of its own."""
    text = os.environ.get("GATEWAY_PORT") or str(DEFAULT_PORT)
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise StackError(f"GATEWAY_PORT is {text!r}, not a port number")
    port = int(text)
    folder = ".local" if port == DEFAULT_PORT else f".local/{port}"
    return Stack(port, (ROOT / (os.environ.get("LOCAL_DIR") or folder)).resolve())


@contextmanager
def step(name: str, what: str) -> Iterator[None]:
    """Print what is being done, then how long it took."""
    sys.stdout.write(f"  {name:<9} {what} ")
    sys.stdout.flush()
    started = time.monotonic()
    try:
        yield
    except BaseException:
        print(f"{'.' * max(3, 56 - len(what))} failed")
        raise
    print(f"{'.' * max(3, 56 - len(what))} {time.monotonic() - started:5.1f} s", flush=True)


def say(name: str, what: str) -> None:
    """Print a message."""
    print(f"  {name:<9} {what}", flush=True)
