"""
Starts and stops the emulated AWS: one background process per stack.

With it comes the stand-in of the tax agency, where the stack is for functions too.
"""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from datetime import timedelta
from pathlib import Path

from local.stack import REGION, ROOT, Stack, StackError

ENVIRONMENT = ROOT / ".local" / "venv"
PYTHON = ENVIRONMENT / "bin" / "python"
START_SECONDS = 60
STOP_SECONDS = 60
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
# Calls to the API that run at once: more would only share the same processors.
CONCURRENCY = max(4, 2 * (os.cpu_count() or 1))


def is_running(stack: Stack) -> bool:
    """
    Return whether this stack's own process is alive.

    The process holds a lock on its pid file for as long as it lives, so that a number left
    behind by a killed one, or taken over by a stranger, is never mistaken for it.
    """
    try:
        with _pid_file(stack).open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def start(stack: Stack, *, tax_agency: bool = False, keep_state: bool = True) -> None:
    """
    Start the process and wait until it answers; with it the stand-in of the tax agency.

    Where it keeps no state, nothing is left when it ends.
    """
    ports = [stack.port, stack.tax_agency_port] if tax_agency else [stack.port]
    for port in filter(_port_is_taken, ports):
        who = _who_answers(stack) if port == stack.port else "another program"
        raise StackError(
            f"Port {port} is in use by {who}. "
            f"End it, or take another port: GATEWAY_PORT={stack.port + 100} make run"
        )
    _check_state(stack)
    # What Lambda processes of an earlier run left behind when they were killed.
    temporary = stack.directory / "tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)

    # Readable by their owner alone, as tokens are in them.
    stack.state.mkdir(mode=0o700, exist_ok=True)
    stack.state.chmod(0o700)
    _log_file(stack).touch(mode=0o600)
    with _log_file(stack).open("ab") as log, _pid_file(stack).open("w") as pid_file:
        fcntl.flock(pid_file, fcntl.LOCK_EX)
        process = subprocess.Popen(
            [PYTHON, "-m", "local.gateway"],
            cwd=ROOT,
            env=_environment(stack, temporary)
            | (_for_tax_agency(stack) if tax_agency else {})
            | ({} if keep_state else {"PERSIST_STATE": "0", "S3_PERSIST": "0"}),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[pid_file.fileno()],
            start_new_session=True,  # Ctrl-C reaches us, and we stop it in order
        )
        pid_file.write(str(process.pid))
    deadline = time.monotonic() + START_SECONDS
    while not answers(stack):
        if process.poll() is not None:
            raise StackError(f"The emulator ended at once:\n{_log_tail(stack)}")
        if time.monotonic() > deadline:
            process.kill()
            raise StackError(f"The emulator does not answer:\n{_log_tail(stack)}")
        time.sleep(0.05)


def stop(stack: Stack) -> None:
    """End the process in order, which saves its state, and wait until it is gone."""
    if is_running(stack):
        os.kill(_pid(stack), signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while is_running(stack):
            if time.monotonic() > deadline:
                os.kill(_pid(stack), signal.SIGKILL)
                raise StackError(
                    "The emulator did not end and was killed; its last seconds may be lost"
                )
            time.sleep(0.05)
    _pid_file(stack).unlink(missing_ok=True)
    shutil.rmtree(stack.directory / "tmp", ignore_errors=True)


def save(stack: Stack) -> None:
    """Save the state now, so that even a killed emulator comes back with it."""
    if is_running(stack):
        os.kill(_pid(stack), signal.SIGUSR1)


def reset(endpoint: str) -> None:
    """Forget all that is in an emulator."""
    request = urllib.request.Request(f"{endpoint}/_ministack/reset", method="POST")
    with _DIRECT.open(request, timeout=STOP_SECONDS):
        pass


def crashed(stack: Stack) -> bool:
    """Return whether the process ended without being stopped."""
    return _pid_file(stack).exists() and not is_running(stack)


def age(stack: Stack) -> timedelta | None:
    """Return how old the saved state is; None where there is none."""
    saved = [file.stat().st_mtime for file in stack.state.glob("*.json")]
    return timedelta(seconds=round(time.time() - max(saved))) if saved else None


def answers(stack: Stack) -> bool:
    """Return whether this stack's own emulator takes requests."""
    return is_running(stack) and _is_emulator(stack)


def _is_emulator(stack: Stack) -> bool:
    """Return whether what answers on the port is an emulator, this stack's or another's."""
    try:
        with _DIRECT.open(f"{stack.endpoint}/_ministack/health", timeout=2) as answer:
            return "services" in json.load(answer)
    except (OSError, ValueError, TypeError):
        return False


def _who_answers(stack: Stack) -> str:
    return "the local stack of another folder" if _is_emulator(stack) else "another program"


def _check_state(stack: Stack) -> None:
    """Raise StackError if a file of the state is damaged: the emulator would start without it."""
    for file in sorted(stack.state.glob("*.json")):
        try:
            json.loads(file.read_bytes())
        except ValueError as error:
            raise StackError(
                f"The state of the stack is damaged: {file} cannot be read ({error}). "
                "Put the file back, or forget all local data: make clean"
            ) from error


def free_port() -> int:
    """Find a port that nobody listens on, nor on the next one."""
    while True:
        with socket.socket() as probe, socket.socket() as next_one:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
            with contextlib.suppress(OSError, OverflowError):
                next_one.bind(("127.0.0.1", port + 1))
                return port


def _environment(stack: Stack, temporary: Path) -> dict[str, str]:
    """Return every setting: Lambda functions inherit these, and nothing of the caller's."""
    return {
        "PATH": os.pathsep.join([str(PYTHON.parent), os.environ.get("PATH", os.defpath)]),
        "HOME": str(temporary),
        "LANG": "C.UTF-8",
        "TMPDIR": str(temporary),
        "PYTHONUNBUFFERED": "1",
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(stack.port),
        "MINISTACK_REGION": REGION,
        "AUTH": "true",
        "PERSIST_STATE": "1",
        "STATE_DIR": str(stack.state),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(stack.state / "s3"),
        "API_ID_FILE": str(stack.api_id_file),
        "MAIL_DIR": str(stack.mail),
        "API_CONCURRENCY": str(CONCURRENCY),
        # Listeners on ports of their own, which would keep two stacks from standing side by side.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
    }


def _for_tax_agency(stack: Stack) -> dict[str, str]:
    """Return what the stand-in is started with, and what functions trust it by."""
    from local import certificates

    return {
        "TAX_AGENCY_PYTHON": sys.executable,  # which has the agency's schemas
        "TAX_AGENCY_FOLDER": str(stack.tax_agency),
        "TAX_AGENCY_PORT": str(stack.tax_agency_port),
        "SSL_CERT_FILE": str(certificates.trusted(stack.tax_agency)),
    }


def _pid(stack: Stack) -> int:
    return int(_pid_file(stack).read_text())


def _pid_file(stack: Stack) -> Path:
    return stack.directory / "emulator.pid"


def _log_file(stack: Stack) -> Path:
    return stack.directory / "emulator.log"


def _log_tail(stack: Stack) -> str:
    return "\n".join(_log_file(stack).read_text(errors="replace").splitlines()[-15:])


def _port_is_taken(port: int) -> bool:
    """Return whether anybody listens on the port, at either address that `localhost` may be."""
    for address in ("127.0.0.1", "::1"):
        with contextlib.suppress(OSError), socket.create_connection((address, port), timeout=2):
            return True
    return False
