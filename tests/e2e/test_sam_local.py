"""Every function in a container, by `sam local`, on the tables of the running stack."""

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from local import containers, deploy, emulator, events
from local.stack import ROOT, from_environment
from tests import template

pytestmark = pytest.mark.skipif(
    not os.environ.get("SAM_LOCAL"),
    reason="takes containers and minutes: SAM_LOCAL='sam local' make test",
)

FUNCTIONS = {
    folder: name
    for name, folder in template.functions().items()
    if folder != "announce_events"  # without a bus, its role may put events on none
}
ENVIRONMENT = {name: os.environ[name] for name in os.environ if not name.startswith("MAKE")}
START_SECONDS = 60
BUSY = {503, 504}

type Json = dict[str, Any]


@pytest.fixture(scope="module")
def door(stack: Json) -> Iterator[None]:
    """Keep one door open for all containers, so that they can run side by side."""
    with containers.door(containers.host(), from_environment().port):
        yield


@pytest.fixture(scope="module")
def answers(door: None) -> dict[str, tuple[str, Any, Any]]:
    """Call each function with one event: what it was, what the container and the stack answer."""
    chosen = {folder: _event(folder) for folder in FUNCTIONS}
    first, *others = chosen
    contained = {first: _in_container(first, chosen[first])}  # makes the image of all
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        answered = pool.map(lambda folder: _in_container(folder, chosen[folder]), others)
        contained |= zip(others, answered, strict=True)
    return {
        folder: (event, contained[folder], _deployed(folder, event))
        for folder, event in chosen.items()
    }


@pytest.mark.parametrize("folder", FUNCTIONS)
def test_a_container_answers_as_the_deployed_function_does(
    answers: dict[str, tuple[str, Any, Any]], folder: str
) -> None:
    event, contained, deployed = answers[folder]

    assert contained == deployed, event
    assert contained.get("statusCode", 200) < 500
    assert "errorType" not in contained


def test_a_handler_that_fails_fails_the_command(door: None) -> None:
    """Of another function's event it can make nothing."""
    made = subprocess.run(
        ["make", "--silent", "invoke", "FUNCTION=BillAccounts", "EVENT=invoices_list"],
        cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert made.returncode != 0
    assert "errorType" in made.stdout


def test_the_api_answers_from_containers(door: None, stack: Json) -> None:
    port = emulator.free_port()
    token = next(iter(stack["accounts"].values()))
    api = subprocess.Popen(
        ["make", "--silent", "api", f"PORT={port}"],
        cwd=ROOT, env=ENVIRONMENT, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _wait_for(port)
        listed = _send("GET", port, token)
        refused = _send("DELETE", port, token)
        anonymous = _send("GET", port, None)
    finally:
        os.killpg(api.pid, signal.SIGINT)
        api.wait(START_SECONDS)

    assert listed == _send("GET", from_environment().port, token)
    assert (refused[0], anonymous[0]) == (405, 401)


def _event(folder: str) -> str:
    """Choose an event of a function: the first one that changes nothing and finds something."""
    names = sorted(path.stem for path in ROOT.glob(f"events/{folder}_*.json"))
    names = [name for name in names if "demo" in _text(name)] or names
    reads = [name for name in names if '"method": "GET"' in _text(name)]
    found = [name for name in reads if _deployed(folder, name).get("statusCode") == 200]
    return (found or reads or names)[0]


def _in_container(folder: str, event: str) -> Any:
    """Call a function in a container; on a busy machine it may run out of time, as on AWS."""
    for _ in range(3):
        answer = _invoke(folder, event)
        if not (isinstance(answer, dict) and answer.get("statusCode") in BUSY):
            break
    return answer


def _invoke(folder: str, event: str) -> Any:
    function = FUNCTIONS[folder].removesuffix("Function")
    made = subprocess.run(
        ["make", "--silent", "invoke", f"FUNCTION={function}", f"EVENT={event}"],
        cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    try:
        return json.loads(made.stdout)
    except ValueError:
        pytest.fail(f"{folder} did not answer:\n{made.stdout}{made.stderr[-4000:]}")


def _deployed(folder: str, event: str) -> Any:
    stack = from_environment()
    answer = deploy.client(stack, "lambda").invoke(
        FunctionName=deploy.physical_id(stack, FUNCTIONS[folder]),
        Payload=events.read(stack, event),
    )
    return json.loads(answer["Payload"].read())


def _text(event: str) -> str:
    return (ROOT / "events" / f"{event}.json").read_text()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/openapi.json", timeout=60):
                return
        except urllib.error.URLError:
            assert time.monotonic() < deadline, "sam local start-api does not answer"
            time.sleep(0.5)


def _send(method: str, port: int, token: str | None) -> tuple[int, bytes]:
    request = urllib.request.Request(
        f"http://localhost:{port}/v3/account/invoice",
        method=method,
        headers={"PRIVATE-TOKEN": token} if token else {},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
