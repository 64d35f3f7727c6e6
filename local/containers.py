"""
`sam local` with the tables of the running stack.

`sam local` gives a container the variables that the template declares and no others, and knows no
table by its real name. So it gets a copy of the built template, in which every function has the
settings that it has in the running stack, and what reaches that stack: a door in the containers'
network, for the stack itself listens on loopback only.

The layer is a published one in that copy, named by the sources: `sam local` makes the image of such
a layer once, and that of a layer of the template for each call anew.

    SAM_LOCAL        a program that takes the arguments of `sam local`, to run in its place
    SAM_LOCAL_HOST   the address of this machine in the network of the containers, where neither
                     Docker nor podman tells it
"""

import contextlib
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, redirect_stdout
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

import yaml

from local import deploy, emulator, events
from local.stack import ARCHITECTURE, REGION, ROOT, Stack, StackError, step

IS_LINUX = sys.platform == "linux"
DESKTOP = "192.168.65.254"
"""Where Docker Desktop shows this machine to containers."""
GATEWAYS = {
    "docker": ("bridge", "{{(index .IPAM.Config 0).Gateway}}"),
    "podman": ("podman", "{{(index .Subnets 0).Gateway}}"),
}
"""The network that containers are in, and where an engine says what this machine is there."""
IP_FREEBIND = 15
"""Linux: listen at an address that the first container brings."""

FUNCTION, LAYER = "AWS::Serverless::Function", "AWS::Serverless::LayerVersion"
LAYERS = deploy.FOR_CONTAINERS / "layers"


def invoke(stack: Stack, function: str, event: str) -> int:
    """
    Run one function (`Invoices`) on one event (`invoices_list`) in a container.

    `sam local` succeeds where a handler fails; this does not.
    """
    if not emulator.is_running(stack):
        raise StackError(events.NOTHING_RUNS)
    known = sorted(name.removesuffix("Function") for name in deploy.settings(stack))
    events.one_of(function, known, "function")
    with tempfile.NamedTemporaryFile("w", prefix=f"{event}-", suffix=".json") as file:
        file.write(events.read(stack, event))
        file.flush()
        with tempfile.TemporaryFile("w+") as answer:
            failed = _sam_local(
                stack, "invoke", f"{function}Function", "--event", file.name, stdout=answer
            )
            answer.seek(0)
            said = answer.read()
    print(said.rstrip(), flush=True)
    return failed or int(events.is_failure(said))


def api(stack: Stack) -> int:
    """Serve the whole API from containers, until Ctrl-C."""
    port = os.environ.get("PORT") or "3000"
    return _sam_local(stack, "start-api", "--port", port, "--warm-containers", "LAZY")


def host() -> str:
    """Return the address of this machine in the network of the containers."""
    if said := os.environ.get("SAM_LOCAL_HOST"):
        return said
    for engine, (network, template) in GATEWAYS.items() if IS_LINUX else ():
        command = [engine, "network", "inspect", network, "--format", template]
        with contextlib.suppress(FileNotFoundError):
            asked = subprocess.run(command, capture_output=True, text=True, check=False)
            if asked.returncode == 0 and asked.stdout.strip():
                return asked.stdout.strip()
    if IS_LINUX:
        raise StackError("Neither Docker nor podman runs here; `sam local` needs one of them")
    return DESKTOP


def _sam_local(stack: Stack, *arguments: str, stdout: IO[str] | None = None) -> int:
    machine = host()
    sam = Path(sys.executable).parent / "sam"
    program = shlex.split(os.environ.get("SAM_LOCAL") or "sam local")
    if program[0] == "sam":
        program[0] = str(sam)
    environment = {name: os.environ[name] for name in os.environ if not name.startswith("AWS_")}
    # sam prefers what it finds around itself to what the template says.
    environment |= {"SAM": str(sam), "SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": REGION}
    command = [
        *program, *arguments,
        "--template", str(_template(stack, machine)),
        "--parameter-overrides", f"Architecture={ARCHITECTURE}",
        "--layer-cache-basedir", str(LAYERS),
    ]  # fmt: skip
    with door(machine, stack.port):
        # Of Ctrl-C it hears from us, once: interrupted twice, it leaves its containers behind.
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, start_new_session=True, stdout=stdout
        )
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            process.wait()
            raise


def _template(stack: Stack, machine: str) -> Path:
    """Write the template of the sources as they are now, with the stack's settings in it."""
    if not emulator.is_running(stack):
        raise StackError(events.NOTHING_RUNS)
    sources = deploy.sources_hash()
    if not deploy.is_built(sources, deploy.FOR_CONTAINERS):
        # Standard output has the function's answer alone.
        with redirect_stdout(sys.stderr), step("build", "sam build"):
            deploy.build(sources, deploy.FOR_CONTAINERS)
    built = deploy.FOR_CONTAINERS / "out" / "template.yaml"
    written: dict[str, Any] = yaml.safe_load(built.read_text())
    endpoint = f"http://{machine}:{stack.port}"
    reached = stack.aws_environment() | {"AWS_ENDPOINT_URL": endpoint}
    deployed = deploy.settings(stack)
    for name, resource in written["Resources"].items():
        properties = resource.get("Properties", {})
        if resource["Type"] == LAYER:
            package = built.parent / properties["ContentUri"]
            written["Globals"]["Function"]["Layers"] = [_layer(package, sources)]
        if resource["Type"] == FUNCTION:
            properties["CodeUri"] = str(built.parent / properties["CodeUri"])
            if name not in deployed:
                raise StackError(f"{name} is not deployed yet: `make start` first")
            settings = {  # queues go by their addresses
                setting: value.replace(stack.endpoint, endpoint)
                for setting, value in deployed[name].items()
            }
            properties["Environment"] = {"Variables": settings | reached}
    file = stack.directory / "sam-local.json"
    partial = file.with_suffix(f".{os.getpid()}")
    partial.write_text(json.dumps(written, indent=1))
    return partial.replace(file)


def _layer(package: Path, sources: str) -> str:
    """Put the layer where `sam local` keeps what it has fetched; return the ARN it is known by."""
    arn = f"arn:aws:lambda:{REGION}:000000000000:layer:{package.name}-{sources[:16]}:1"
    [*_, name, version] = arn.split(":")
    fetched = LAYERS / f"{name}-{version}-{sha256(arn.encode()).hexdigest()[:10]}"
    LAYERS.mkdir(exist_ok=True)
    with contextlib.suppress(FileExistsError):
        fetched.symlink_to(package)
    return arn


@contextmanager
def door(machine: str, port: int) -> Iterator[None]:
    """Open the stack's port at this machine's address there, for containers only."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if IS_LINUX:
            listener.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
        try:
            listener.bind((machine, port))
        except OSError:
            # Docker Desktop brings calls to its address to our loopback by itself; and where
            # another `sam local` of this stack runs, its door serves for both.
            yield
            return
        listener.listen()
        threading.Thread(target=_serve, args=(listener, port), daemon=True).start()
        yield


def _serve(listener: socket.socket, port: int) -> None:
    while True:
        try:
            caller, _ = listener.accept()
        except OSError:
            return
        stack = socket.create_connection(("127.0.0.1", port))
        for source, sink in ((caller, stack), (stack, caller)):
            threading.Thread(target=_pump, args=(source, sink), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    """Hand on whatever comes until its end, and then the end."""
    with closing(sink):
        while data := source.recv(65536):
            sink.sendall(data)
