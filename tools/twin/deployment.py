"""Deploying the stacks onto the emulator with the CDK's own command line, and only when something changed."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from tools.twin import processes
from tools.twin.credentials import partner_credentials
from tools.twin.errors import TwinError
from tools.twin.layout import ACCOUNT, CREDENTIALS, HOST, REGION, ROOT, Layout

Progress = Callable[[str], None]

INPUTS = (
    "app.py",
    "cdk.json",
    "package-lock.json",
    "pyproject.toml",
    "uv.lock",
    "stacks",
    "lambdas",
    "layers",
    "web",
)
"""Files and folders that decide what the templates and assets are."""
IGNORED = {"__pycache__", "node_modules", ".DS_Store"}
CDK = ROOT / "node_modules" / ".bin" / "cdk"
# Without change sets: they are for people to read, and cost a wait each.
DEPLOY = (
    *("deploy", "--all", "--require-approval", "never", "--method", "direct"),
    *("--concurrency", "4", "--progress", "events"),
)
BOOTSTRAP_STACK = "CDKToolkit"
MARK = "/mangaassist/twin/deployed"
"""Parameter in the emulator that holds the fingerprint of what is deployed: it lives and dies with the stacks."""

STACK_DONE = re.compile(r"^\s*✅\s+MangaAssist-[a-z]+-([\w-]+)(?P<same> \(no changes\))?")
RESOURCE_FAILED = re.compile(r"\| (?:CREATE|UPDATE|DELETE)_FAILED\s+\| (.+)")
"""An event line: type, logical id and, at its end, what CloudFormation says about it."""
FAILURE = re.compile(r"❌|[Ee]rror\b|\bfailed\b")


def deploy(layout: Layout, on_progress: Progress) -> None:
    """Synthesize, bootstrap and deploy, skipping every step whose outcome is already there."""
    wanted = f"{layout.held} {fingerprint()}"
    parameters = emulator_client(layout, "ssm")
    if _mark(parameters) == wanted and layout.outputs.is_file():
        on_progress("the stacks are up to date")
        return
    if not CDK.is_file():
        raise TwinError("the CDK command line is not installed: run `make setup`")
    layout.log("deploy").parent.mkdir(parents=True, exist_ok=True)
    layout.log("deploy").write_bytes(b"")
    _synthesize(layout, wanted, on_progress)
    deploy_assembly(layout, layout.assembly, on_progress)
    parameters.put_parameter(Name=MARK, Value=wanted, Type="String", Overwrite=True)


def deploy_assembly(layout: Layout, assembly: Path, on_progress: Progress) -> None:
    """Bootstrap where it is needed, and deploy every stack of ``assembly``."""
    layout.log("deploy").parent.mkdir(parents=True, exist_ok=True)
    _unmark(emulator_client(layout, "ssm"))
    with _known_to_be_halfway(layout):
        places = [
            f"aws://{ACCOUNT}/{region}"
            for region in regions(assembly)
            if not _is_bootstrapped(layout, region)
        ]
        if places:
            on_progress("bootstrapping the account")
            _cdk(layout, ["bootstrap", "--app", str(assembly), *places])
        on_progress("deploying the stacks")
        _put_partner_credential(layout)
        addresses = [option for each in _addresses(layout, assembly) for option in ("--parameters", each)]
        arguments = [*DEPLOY, *addresses, "--app", str(assembly), "--outputs-file", str(layout.outputs)]
        _cdk(layout, arguments, on_line=lambda line: _report(line, on_progress))


def _addresses(layout: Layout, assembly: Path) -> list[str]:
    """Where the store's services answer, for those templates that ask for it by a parameter (``Replaceable``)."""
    known = {
        "CatalogueTarget": f"{HOST}:{layout.grpc_port}",
        "PartnersUrl": layout.url("partners"),
    }
    found: list[str] = []
    for template in sorted(assembly.glob("*.template.json")):
        asked = json.loads(template.read_text("utf-8")).get("Parameters", {})
        stack = template.name.removesuffix(".template.json")
        found += [f"{stack}:{name}={address}" for name, address in known.items() if name in asked]
    return found


def partner_secret(layout: Layout) -> str:
    """Name of the secret with the partners' credential; no stack makes it, and none takes it away."""
    return f"mangaassist-{layout.held.environment}-partners"


def _put_partner_credential(layout: Layout) -> None:
    """The secret that an organisation brings: what the store's services know the assistant by."""
    secrets = emulator_client(layout, "secretsmanager")
    name, value = partner_secret(layout), partner_credentials(layout).reader
    try:
        secrets.create_secret(Name=name, SecretString=value)
    except secrets.exceptions.ResourceExistsException:
        secrets.put_secret_value(SecretId=name, SecretString=value)


def destroy(layout: Layout, on_progress: Progress) -> None:
    """Delete every stack of the last deployment; what the templates retain stays."""
    parameters = emulator_client(layout, "ssm")
    _unmark(parameters)
    with _known_to_be_halfway(layout):
        on_progress("destroying the stacks")
        _cdk(layout, ["destroy", "--all", "--force", "--app", str(layout.assembly)])


@contextmanager
def _known_to_be_halfway(layout: Layout) -> Iterator[None]:
    """Leave a note if this is cut off: a stack in progress stays so when the emulator stops, and nothing mends it.

    A deployment that fails by itself was rolled back and needs no note.
    """
    layout.halfway.touch()
    try:
        yield
    except TwinError:
        layout.halfway.unlink(missing_ok=True)
        raise
    layout.halfway.unlink(missing_ok=True)


def fingerprint(root: Path = ROOT, inputs: Iterable[str] = INPUTS) -> str:
    """A digest over everything that decides what would be deployed."""
    digest = hashlib.sha256(sys.version.encode())
    for name in inputs:
        path = root / name
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and not IGNORED.intersection(file.parts) and file.suffix != ".pyc":
                digest.update(str(file.relative_to(root)).encode() + b"\0")
                digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _synthesize(layout: Layout, wanted: str, on_progress: Progress) -> None:
    mark = layout.home / "synthesized"
    if mark.is_file() and mark.read_text() == wanted and (layout.assembly / "manifest.json").is_file():
        return
    on_progress("synthesizing the templates")
    mark.unlink(missing_ok=True)
    context = {
        "environment": layout.held.environment,
        "profile": layout.held.profile,
        # The repository's own settings, whatever names and certificates this checkout is deployed with elsewhere.
        "deployment": os.devnull,
        "bundle_for": "host",
    }
    options = [option for name, value in context.items() for option in ("-c", f"{name}={value}")]
    _cdk(layout, ["synth", "--quiet", *options, "--output", str(layout.assembly)])
    mark.write_text(wanted)


def regions(assembly: Path) -> list[str]:
    """Where the stacks of ``assembly`` go."""
    artifacts = json.loads((assembly / "manifest.json").read_text())["artifacts"].values()
    return sorted({each["environment"].rpartition("/")[2] for each in artifacts if "environment" in each})


def _report(line: str, on_progress: Progress) -> None:
    if done := STACK_DONE.match(line):
        on_progress(f"  {done[1]}{' (no changes)' if done['same'] else ''}")


def _cdk(layout: Layout, arguments: Sequence[str], *, on_line: Callable[[str], None] | None = None) -> None:
    """Run the CDK in a session of its own, with its output in the log; Ctrl-C ends it and everything it started."""
    log = layout.log("deploy")
    with log.open("a", encoding="utf-8") as file:
        process = subprocess.Popen(
            [str(CDK), *arguments],
            cwd=ROOT,
            env=_environment(layout),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        assert process.stdout is not None
        try:
            for line in process.stdout:
                file.write(line)
                if on_line:
                    on_line(line)
            status = process.wait()
        finally:
            process.stdout.close()
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait()
    if status:
        raise TwinError(f"cdk {arguments[0]} failed: {_reason(log)} (log: {log})")


def _reason(log: Path) -> str:
    """The line of the log that says most: the first failed resource, else the last line about an error."""
    lines = [
        " ".join(line.split()) for line in log.read_text(encoding="utf-8", errors="replace").splitlines()
    ]
    for line in lines:
        if failed := RESOURCE_FAILED.search(line):
            return failed[1]
    reasons = [line for line in lines if FAILURE.search(line) and "Subprocess exited" not in line]
    return (reasons or [line for line in lines if line] or ["no output"])[-1]


def _environment(layout: Layout) -> dict[str, str]:
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    return processes.base_environment(
        **CREDENTIALS,
        PATH=path,
        PYTHONPATH=os.pathsep.join((str(ROOT), str(ROOT / "layers" / "core" / "python"))),
        AWS_ENDPOINT_URL=layout.url("emulator"),
        AWS_REGION=REGION,
        AWS_DEFAULT_REGION=REGION,
        AWS_EC2_METADATA_DISABLED="true",
        JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION="1",
        CDK_DISABLE_CLI_TELEMETRY="true",
    )


def emulator_client(layout: Layout, service: str, *, region: str = REGION, patience_seconds: int = 60) -> Any:
    """An SDK client for a service of the emulator; it waits ``patience_seconds`` for an answer."""
    import boto3
    from botocore.config import Config

    return cast("Any", boto3).client(  # the stubs know the clients of the functions only
        service,
        endpoint_url=layout.url("emulator"),
        region_name=region,
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"total_max_attempts": 2}, read_timeout=patience_seconds),
    )


def _mark(parameters: Any) -> str | None:
    try:
        return parameters.get_parameter(Name=MARK)["Parameter"]["Value"]
    except parameters.exceptions.ParameterNotFound:
        return None


def _unmark(parameters: Any) -> None:
    """What follows may stop halfway; then nothing is known to be deployed."""
    if _mark(parameters) is not None:
        parameters.delete_parameter(Name=MARK)


def _is_bootstrapped(layout: Layout, region: str) -> bool:
    client = emulator_client(layout, "cloudformation", region=region)
    try:
        status = client.describe_stacks(StackName=BOOTSTRAP_STACK)["Stacks"][0]["StackStatus"]
    except client.exceptions.ClientError:
        return False
    return status in ("CREATE_COMPLETE", "UPDATE_COMPLETE")
