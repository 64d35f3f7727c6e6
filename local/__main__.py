"""
The commands behind the Makefile.

    python -m local start     start, deploy and seed what is not yet; return when the API answers
    python -m local run       the same, then stay until Ctrl-C
    python -m local stop      end it and keep its state
    python -m local clean     end all and forget their state
    python -m local logs      follow what the functions log
    python -m local status    say what runs, where, and how old its saved state is
    python -m local invoke FUNCTION EVENT   run one function on one event by `sam local invoke`
    python -m local call EVENT     run the function of an event in this process, for a debugger
    python -m local api       serve the API by `sam local start-api`, until Ctrl-C
    python -m local mail [N]  list the mails that were sent, and show the Nth, or the last
    python -m local exec COMMAND…   run a command with the settings of the running stack
    python -m local with COMMAND…   run a command against a fresh stack on a free port
"""

import argparse
import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from local import containers, deploy, emulator, events, mail, reload, seed
from local.logs import Log
from local.stack import (
    DEFAULT_PORT,
    NAME,
    ROOT,
    Stack,
    StackError,
    from_environment,
    say,
    step,
    without_proxy,
)

SEEDED = "/local/seeded"
ANSWER_SECONDS = 60
POLL_SECONDS = 0.5
MINUTES_OF_LOG = 5
"""How far `logs` looks back."""


def start(stack: Stack) -> None:
    """Start or update the stack, then print how to use it."""
    bring_up(stack)
    _print_greeting(stack)


def bring_up(stack: Stack) -> None:
    """Start or update the stack, doing only what is not done yet."""
    with _one_start_at_a_time(stack):
        was_running = emulator.is_running(stack)
        try:
            _do_what_is_due(stack)
        except BaseException:
            if not was_running:
                emulator.stop(stack)
            raise


def run(stack: Stack) -> None:
    """Start, and until Ctrl-C print a line for each request, and put edited sources to work."""
    start(stack)
    print(
        "\n  Edited sources go live by themselves. Ctrl-C ends it and keeps its data.\n", flush=True
    )
    log, before = Log(stack, time.time()), reload.snapshot()
    try:
        while emulator.is_running(stack):
            time.sleep(POLL_SECONDS)
            for line in log.lines():
                print(line, flush=True)
            after = reload.snapshot()
            if files := reload.changed(before, after):
                before = after
                _take_over(stack, files)
        raise StackError("The stack was stopped from elsewhere")
    except KeyboardInterrupt:
        print()
        stop(stack)


def _take_over(stack: Stack, files: list[Path]) -> None:
    """Put changed sources to work; where they cannot, say so and go on with those before."""
    names = ", ".join(str(_relative(file)) for file in files[:3])
    try:
        if reload.is_quick(files):
            with step("reload", names):
                reload.reload(stack, files)
        else:
            say("deploy", f"{names} changed")
            bring_up(stack)
    except (StackError, ClientError) as error:
        print(f"\n{error}\n", file=sys.stderr, flush=True)


def stop(stack: Stack) -> None:
    """End the stack and keep its state."""
    if not emulator.is_running(stack):
        say("stop", "nothing runs")
        return
    with step("stop", "saving the state"):
        emulator.stop(stack)


def clean(_: Stack) -> None:
    """End every stack of this folder and forget all state; the environments stay."""
    home = ROOT / ".local"
    for pid_file in [*home.glob("emulator.pid"), *home.glob("*/emulator.pid")]:
        stop(Stack(0, pid_file.parent))
    for path in home.iterdir() if home.exists() else ():
        if path != emulator.ENVIRONMENT:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def logs(stack: Stack) -> None:
    """Print what the functions log, and go on until Ctrl-C."""
    _check_that_it_runs(stack)
    log = Log(stack, time.time() - MINUTES_OF_LOG * 60)
    with contextlib.suppress(KeyboardInterrupt):
        while emulator.is_running(stack):
            for line in log.lines():
                print(line, flush=True)
            time.sleep(POLL_SECONDS)


def status(_: Stack) -> None:
    """Print where each stack of this folder runs, if it does, and how old its state is."""
    home = ROOT / ".local"
    places = {DEFAULT_PORT: home, **{int(path.name): path for path in home.glob("[0-9]*")}}
    stacks = [Stack(port, path) for port, path in sorted(places.items())]
    for stack in stacks:
        age = emulator.age(stack)
        if age is not None:
            runs = emulator.is_running(stack)
            how = "was killed" if emulator.crashed(stack) else "is stopped"
            say(str(stack.port), f"{stack.base_url if runs else how}, its state saved {age} ago")
    if not any(stack.state.exists() for stack in stacks):
        say("status", "there is no stack")


def invoke(arguments: list[str]) -> int:
    """Run a function on an event, both given by name, in a container."""
    if len(arguments) != 2:
        raise StackError("Say which function, and on which event: invoke Invoices invoices_list")
    return containers.invoke(from_environment(), *arguments)


def call(arguments: list[str]) -> int:
    """Run the function of an event, given by name, in this process."""
    if len(arguments) != 1:
        raise StackError("Say on which event: call movements_create")
    return events.call(from_environment(), arguments[0])


def api(_: list[str]) -> int:
    """Serve the API from containers."""
    return containers.api(from_environment())


def show_mail(arguments: list[str]) -> int:
    """List the mails that were sent, and show one, by its number, or the last."""
    folder = from_environment().mail
    sent = mail.files(folder)
    if not sent:
        raise StackError("No mail was sent yet")
    for line in mail.listed(folder):
        print(line)
    number = arguments[0] if arguments else str(len(sent))
    if not number.isdecimal() or not 1 <= int(number) <= len(sent):
        raise StackError(f"There is no mail {number}: say one from 1 to {len(sent)}")
    print()
    for line in mail.shown(sent[int(number) - 1]):
        print(line)
    return 0


def run_here(command: list[str]) -> int:
    """Run a command with what it needs to reach the running stack's AWS."""
    stack = from_environment()
    _check_that_it_runs(stack)
    environment = {**os.environ, **stack.aws_environment()}
    return subprocess.run(command, env=environment, check=False).returncode


def run_with(command: list[str]) -> int:
    """Run a command against a fresh stack of its own, and stop that, however the command ends."""
    stack = Stack(emulator.free_port(), ROOT / ".local" / "test")
    emulator.stop(stack)
    _forget(stack)
    bring_up(stack)
    environment = {
        **os.environ,
        "GATEWAY_PORT": str(stack.port),
        "LOCAL_DIR": str(stack.directory),
        "STACK_FILE": str(stack.file),
    }
    try:
        return subprocess.run(command, env=environment, check=False).returncode
    finally:
        emulator.stop(stack)  # without a word: the command's last line stays the last


def _do_what_is_due(stack: Stack) -> None:
    sources = deploy.sources_hash()
    if not deploy.is_built(sources):
        with step("build", "sam build"):
            deploy.build(sources)
    if not emulator.is_running(stack):
        _start_emulator(stack)
    else:
        say("aws", f"ministack already on {stack.endpoint}")
    if deploy.is_broken(stack):
        with step("aws", "an unfinished deployment: starting over"):
            emulator.stop(stack)
            _forget(stack)
            emulator.start(stack, tax_agency=True)
    if deploy.deployed(stack) != sources:
        with step("deploy", "sam deploy, routes"):
            deploy.deploy(stack)
            if deploy.is_reloaded(stack):  # CloudFormation does not know what it has to replace
                reload.push(stack)
            deploy.note(stack, sources)
    with step("api", f"waiting for {stack.base_url}"):
        _wait_for_api(stack)
    _ask_for_exchange_rates(stack)
    _seed_once(stack)
    _send_fiscal_records(stack)
    emulator.save(stack)


def _check_that_it_runs(stack: Stack) -> None:
    if not emulator.is_running(stack):
        raise StackError(f"No stack runs on port {stack.port}: `make start` first")


def _start_emulator(stack: Stack) -> None:
    """Start it, and say from when its data is where it was not stopped in order."""
    age = emulator.age(stack) if emulator.crashed(stack) else None
    if age is not None:
        say("aws", f"it was killed: its data goes on as it was saved {age} ago")
    with step("aws", f"ministack on {stack.endpoint}"):
        emulator.start(stack, tax_agency=True)


def _seed_once(stack: Stack) -> None:
    """Seed, unless this emulator was seeded by this very seed before."""
    ssm = deploy.client(stack, "ssm")
    try:
        noted = json.loads(ssm.get_parameter(Name=SEEDED)["Parameter"]["Value"])
    except ssm.exceptions.ParameterNotFound:
        noted = {}
    if noted.get("version") != seed.version():
        with step("seed", "three orgs, their accounts and invoices"):
            facts = seed.run(stack, noted.get("stack"))
        noted = {"version": seed.version(), "stack": facts}
        ssm.put_parameter(Name=SEEDED, Value=json.dumps(noted), Type="String", Overwrite=True)
    # Readable by its owner alone: it holds tokens.
    partial = stack.file.with_suffix(".new")
    partial.touch(mode=0o600)
    partial.write_text(json.dumps(noted["stack"], indent=2) + "\n")
    partial.replace(stack.file)


def _ask_for_exchange_rates(stack: Stack) -> None:
    """Send the message of the daily schedule, which waits for its hour."""
    deploy.client(stack, "sqs").send_message(
        QueueUrl=deploy.outputs(stack)["LookupsQueue"], MessageBody='{"ask": "exchange rates"}'
    )


def _send_fiscal_records(stack: Stack) -> None:
    """Send the message of the schedule of each minute, which waits for the next one."""
    deploy.client(stack, "sqs").send_message(
        QueueUrl=deploy.outputs(stack)["FiscalRecordsQueue"], MessageBody='{"after": ""}'
    )


def _wait_for_api(stack: Stack) -> None:
    deadline = time.monotonic() + ANSWER_SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"{stack.base_url}/openapi.json", timeout=30):
                return
        except (urllib.error.URLError, OSError) as error:
            if time.monotonic() > deadline:
                raise StackError(f"The API does not answer: {error}; try `make logs`") from error
            time.sleep(0.2)


def _print_greeting(stack: Stack) -> None:
    facts: dict[str, Any] = json.loads(stack.file.read_text())
    account, token = next(iter(facts["accounts"].items()))
    print(
        f"""
  The API     {facts["base_url"]}
  Reference   {facts["base_url"]}/docs
  Console     {facts["base_url"]}/console
  AWS         {stack.endpoint}   (key and secret: test)
  Mailbox     make mail

  Org         {facts["org_id"]}
  Admin       {facts["admin_token"]}
  Reader      {facts["reader_token"]}
  Account     {account}: {token}
  Verifactu   {facts["verifactu"]["org_id"]}: {facts["verifactu"]["admin_token"]}
  The rest    {_relative(stack.file)}

  curl -H 'PRIVATE-TOKEN: {token}' {facts["base_url"]}/v3/account/invoice""",
        flush=True,
    )


def _forget(stack: Stack) -> None:
    shutil.rmtree(stack.state, ignore_errors=True)
    stack.file.unlink(missing_ok=True)


def _relative(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


@contextlib.contextmanager
def _one_start_at_a_time(stack: Stack) -> Iterator[None]:
    stack.directory.mkdir(parents=True, exist_ok=True)
    with (stack.directory / "start.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StackError("Another start of this stack is under way") from None
        yield


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def main() -> int:
    """Run the command named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m local", description=f"The local {NAME} stack")
    commands = {
        "start": start,
        "run": run,
        "stop": stop,
        "clean": clean,
        "logs": logs,
        "status": status,
    }
    with_status = {
        "invoke": invoke,
        "call": call,
        "api": api,
        "mail": show_mail,
        "exec": run_here,
        "with": run_with,
    }
    parser.add_argument("command", choices=[*commands, *with_status])
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    os.environ.update(without_proxy())
    for number in (signal.SIGINT, signal.SIGTERM):  # end in order, in the background too
        signal.signal(number, _interrupt)
    try:
        if options.command in with_status:
            return with_status[options.command](options.arguments)
        commands[options.command](from_environment())
    except StackError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
