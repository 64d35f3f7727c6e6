"""
The emulator's process: ministack behind one small door.

ministack reads its settings from the environment (emulator.py sets them) and keeps two kinds
of callers apart by host name:

    http://127.0.0.1:<port>   AWS: what boto3, sam and pre-signed links talk to
    http://localhost:<port>   the deployed HTTP API, at the root as on AWS

A call to localhost that carries an AWS signature goes to AWS too, so that the habit of
pointing AWS tools at localhost keeps working.

Runs in the emulator's own environment. While it is in use the state is saved every few seconds;
SIGTERM saves all of it and ends it, SIGUSR1 only saves.
"""

import asyncio
import base64
import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time
import zipfile
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hypercorn.asyncio import serve  # type: ignore[import-not-found]
from hypercorn.config import Config  # type: ignore[import-not-found]
from ministack import app as ministack  # type: ignore[import-not-found]
from ministack.core import lambda_runtime, persistence  # type: ignore[import-not-found]
from ministack.services import lambda_svc, ses_v2  # type: ignore[import-not-found]

from local import stand_ins

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

API_HOST = b"localhost"
EMULATOR_PATHS = ("/_ministack/", "/_aws/")

SAVE_SECONDS = 2.0
PAUSE = 20
"""A save of a large state waits so many times what the last one took of the loop."""
_SIGNED_FOR = re.compile(rb"Credential=[^,/]+/[^,/]+/[^,/]+/([a-z0-9-]+)/aws4_request")
DEPLOYED = {"cloudformation", "lambda"}
"""Large, and changed by calls to themselves alone: a deployment, not the use of what it made."""


class Gateway:
    """Sends a call to the HTTP API or to AWS."""

    def __init__(self, api_id_file: Path, concurrency: int, used: Callable[[str], None]) -> None:
        self._api_id_file = api_id_file
        self._used = used
        # Every call in flight needs a Lambda process of its own, and a burst that starts
        # a hundred of them at once brings a small machine to its knees: the rest wait here.
        self._in_flight = asyncio.Semaphore(concurrency)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection event of the ASGI server."""
        if scope["type"] != "http":
            await ministack.app(scope, receive, send)
            return
        if scope["path"].startswith(stand_ins.PREFIX):
            await stand_ins.serve(scope, receive, send)
            return
        # On AWS, TLS always stands in front; a policy that asks for it is satisfied here.
        scope["headers"] = [*scope["headers"], (b"x-forwarded-proto", b"https")]
        if not _is_for_api(scope):
            await ministack.app(scope, receive, send)
            if service := _changed_by(scope):
                self._used(service)
            return
        async with self._in_flight:
            await ministack.app(self._addressed_to_api(scope), receive, send)

    def _addressed_to_api(self, scope: Scope) -> Scope:
        try:
            api_id = self._api_id_file.read_text().strip()
        except FileNotFoundError:
            api_id = "none"
        prefix = f"/_aws/execute-api/{api_id}/$default"
        raw_path = scope.get("raw_path") or scope["path"].encode()
        return {**scope, "path": prefix + scope["path"], "raw_path": prefix.encode() + raw_path}


def _is_for_api(scope: Scope) -> bool:
    headers: Mapping[bytes, bytes] = dict(scope["headers"])
    host = headers.get(b"host", b"").rsplit(b":", 1)[0].lower()
    signed = headers.get(b"authorization", b"").startswith(b"AWS4-")
    return host == API_HOST and not signed and not scope["path"].startswith(EMULATOR_PATHS)


def _changed_by(scope: Scope) -> str | None:
    """Return the service whose state a call may have changed, None where that is not asked."""
    authorization = dict(scope["headers"]).get(b"authorization", b"")
    signed = _SIGNED_FOR.search(authorization)
    if signed is None or scope["path"].endswith("/invocations"):
        return None
    return signed[1].decode()


class State:
    """
    The emulator's state on disk, which survives a `kill -9`.

    Snapshots are taken in the loop, where no call changes what is copied; they are written in a
    thread, and only those that differ from what was written last.
    """

    def __init__(self) -> None:
        self._used: set[str] = set()
        self._written: dict[str, str] = {}
        self._writing = threading.Lock()
        self._saves_of_all = 0

    def used(self, service: str) -> None:
        """Record that a service was called, where the state is kept."""
        if persistence.PERSIST_STATE:
            self._used.add(service)

    def save_all(self, *_: object) -> None:
        """Write the state of every service now; older snapshots are written no more."""
        with self._writing:
            self._saves_of_all += 1
            self._used.clear()
            self._written.clear()
            persistence.save_all(ministack._build_persistence_save_dict())

    async def keep_saving(self) -> None:
        """Save every few seconds while the emulator is in use."""
        pause = SAVE_SECONDS
        while True:
            await asyncio.sleep(pause)
            if self._used:
                began = time.monotonic()
                snapshots, saves = self._snapshots(), self._saves_of_all
                pause = max(SAVE_SECONDS, PAUSE * (time.monotonic() - began))
                await asyncio.to_thread(self._write, snapshots, saves)

    def _snapshots(self) -> dict[str, Any]:
        used, self._used = self._used, set()
        snapshots = {}
        for name, state_of in ministack._build_persistence_save_dict().items():
            if name in DEPLOYED - used:
                continue
            try:
                snapshots[name] = state_of()
            except RuntimeError:  # a thread of the emulator changed it meanwhile
                self._used.add(name)
        return {name: state for name, state in snapshots.items() if state is not None}

    def _write(self, snapshots: Mapping[str, Any], saves: int) -> None:
        with self._writing:
            for name, state in snapshots.items() if saves == self._saves_of_all else ():
                try:
                    text = json.dumps(state, default=persistence._json_default)
                except (TypeError, ValueError):
                    continue  # nor could it be saved at the end
                if self._written.get(name) != text:
                    persistence.save_state(name, state)
                    self._written[name] = text


def _keep_mails() -> None:
    """Write each mail that SES takes to a file, whole: ministack keeps its words only."""
    handle, folder = ses_v2.handle_request, Path(os.environ["MAIL_DIR"])

    async def handle_and_keep(
        method: str, path: str, headers: Any, body: bytes, query_params: Any
    ) -> Any:
        answer = await handle(method, path, headers, body, query_params)
        if method == "POST" and path.endswith("/outbound-emails") and answer[0] == HTTPStatus.OK:
            asked = json.loads(body)
            raw = base64.b64decode(asked["Content"]["Raw"]["Data"])
            folder.mkdir(exist_ok=True)
            partial = folder / f"{time.time_ns()}.new"
            envelope = ", ".join(asked["Destination"]["ToAddresses"])
            partial.write_bytes(f"X-Envelope-To: {envelope}\r\n".encode() + raw)
            partial.rename(partial.with_suffix(".eml"))
        return answer

    ses_v2.handle_request = handle_and_keep


def _answer_failures_as_aws_does() -> None:
    """Answer 500 without details if a function failed; ministack answers 502 with the reason."""
    to_response = lambda_svc.lambda_execute_result_to_api_proxy_response

    def to_aws_response(result: dict[str, Any]) -> Any:
        if result.get("error"):
            body = '{"message":"Internal Server Error"}'
            return {"statusCode": 500, "body": body}, None
        return to_response(result)

    lambda_svc.lambda_execute_result_to_api_proxy_response = to_aws_response


def _read_streams_from_their_beginning() -> None:
    """ministack keeps how far a stream was read, but not the stream: it would wait for ever."""
    load = lambda_svc.load_persisted_state

    def load_without_positions(data: dict[str, Any]) -> None:
        load({**data, "dynamodb_stream_positions": {}})

    lambda_svc.load_persisted_state = load_without_positions


def _repeat_records_that_failed() -> None:
    """
    Let the records of a stream come again where a function says that some failed.

    ministack goes on as if none had. Here the whole batch comes again, after a pause.
    """
    execute = lambda_svc._execute_function

    def execute_or_fail(function: Any, event: dict[str, Any]) -> Any:
        result = execute(function, event)
        records = event.get("Records") or [{}]
        body = result.get("body")
        if (
            records[0].get("eventSource") == "aws:dynamodb"
            and isinstance(body, dict)
            and body.get("batchItemFailures")
        ):
            return {**result, "error": True}
        return result

    lambda_svc._execute_function = execute_or_fail


class _UnpackedOnce(zipfile.ZipFile):
    """
    An archive that is unpacked for the first process that needs it, and linked to by the others.

    ministack unpacks the layer, some 2,000 files, for every process it starts, all of them in
    turn: half of a cold start, and most of what a burst of first requests waits for.
    """

    _unpacking = threading.Lock()

    def extractall(self, path: Any = None, *_: Any) -> None:
        """Create a link to the unpacked archive where its files are expected."""
        content = hashlib.sha256(Path(str(self.filename)).read_bytes()).hexdigest()
        unpacked = Path(tempfile.gettempdir()) / "unpacked" / content
        with self._unpacking:
            if not unpacked.exists():
                partial = unpacked.with_suffix(".partial")
                super().extractall(partial)
                partial.rename(unpacked)
        Path(path).rmdir()
        Path(path).symlink_to(unpacked)


def _wait_less_for_log_lines() -> None:
    """
    Wait 3 ms instead of 50 for the log line of a silent invocation.

    ministack waits after each call, before the caller has the answer; a line that is written just
    as the handler returns may now arrive with the next call.
    """
    lambda_runtime.Worker._drain_stderr_bounded.__defaults__ = (0.003, 0.003, 0.25)


def _start_tax_agency() -> subprocess.Popen[bytes] | None:
    """Start the stand-in, which has schemas that this environment has not; it ends with us."""
    if "TAX_AGENCY_PORT" not in os.environ:
        return None
    python, *arguments = [os.environ[f"TAX_AGENCY_{name}"] for name in ("PYTHON", "FOLDER", "PORT")]
    command = [python, "-m", "local.tax_agency", *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE)


def _has_ipv6_loopback() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


async def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    os.umask(0o077)  # tokens are in the state
    port = os.environ["GATEWAY_PORT"]
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    if _has_ipv6_loopback():  # some clients try ::1 first for localhost, and only that
        config.bind.append(f"[::1]:{port}")
    config.keep_alive_timeout = 75
    config.graceful_timeout = 1

    state, stopped = State(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    loop.add_signal_handler(signal.SIGUSR1, state.save_all)

    ministack.save_all = state.save_all  # which it calls as it ends
    _answer_failures_as_aws_does()
    _keep_mails()
    _read_streams_from_their_beginning()
    _repeat_records_that_failed()
    _wait_less_for_log_lines()
    tax_agency = _start_tax_agency()
    lambda_runtime.zipfile = SimpleNamespace(**{**vars(zipfile), "ZipFile": _UnpackedOnce})
    gateway = Gateway(
        Path(os.environ["API_ID_FILE"]), int(os.environ["API_CONCURRENCY"]), state.used
    )
    saving = asyncio.create_task(state.keep_saving())
    await serve(gateway, config, shutdown_trigger=stopped.wait)
    saving.cancel()
    if tax_agency:
        tax_agency.communicate()  # closes its standard input, and waits for its end


if __name__ == "__main__":
    asyncio.run(main())
