"""What a delivery does around ``cdk deploy``: prove which assembly it is, show what it changes, ask, and watch.

Each works on ``cdk.out/delivered/ENVIRONMENT`` and reads the environment's account through the lookup role that
``cdk bootstrap`` made there: it may read, and nothing else.

    python -m tools.delivery.release digest prod
    python -m tools.delivery.release verify prod DIGEST         # fails unless it is that assembly
    python -m tools.delivery.release show prod DIGEST           # verifies, then says what it changes there
    python -m tools.delivery.release as prod -- COMMAND …       # runs a command with the lookup role
    python -m tools.delivery.release watch prod --alarm NAME --since SECONDS
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from stacks.environments import ENVIRONMENTS
from tools.delivery import assembly, changes
from tools.delivery.assembly import StackOfAssembly, UnusableAssembly

QUARTER: Final = 15 * 60
EVERY: Final = 15
"""Seconds between two looks at the alarm."""
RINGS: Final = "ALARM"

Session = Callable[[str, str], Any]
"""From a role's ARN and a region to a session of boto3 with that role."""


class Rings(RuntimeError):
    """The release hurts; the message says how that shows."""


def session_of(role: str, region: str) -> Any:
    """A session that has taken on ``role``, for longer than a watch lasts."""
    import boto3

    ours: Any = boto3.Session(region_name=region)
    arn = role.replace("${AWS::Partition}", ours.get_partition_for_region(region))
    given = ours.client("sts").assume_role(RoleArn=arn, RoleSessionName="mangaassist-delivery")["Credentials"]
    return boto3.Session(
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
        region_name=region,
    )


def shown(folder: Path, open_session: Session = session_of) -> str:
    """What deploying the assembly in ``folder`` would change, against the templates that are deployed now."""
    with tempfile.TemporaryDirectory() as temporary:
        base, head = Path(temporary, "base", folder.name), Path(temporary, "head", folder.name)
        base.mkdir(parents=True)
        head.mkdir(parents=True)
        clients: dict[tuple[str, str], Any] = {}
        for stack in assembly.stacks(folder):
            place = stack.lookup_role, stack.region
            if place not in clients:
                clients[place] = open_session(*place).client("cloudformation")
            file = f"{stack.name}.template.json"
            (head / file).write_bytes(stack.template.read_bytes())
            (base / file).write_text(json.dumps(_deployed(clients[place], stack)), "utf-8")
        summary = changes.markdown(changes.between(base.parent, head.parent))
    return f"## {folder.name}\n\nDigest of the assembly: `{assembly.digest(folder)}`\n\n{summary}"


def watch(
    alarms: Any,
    name: str,
    *,
    since: float,
    seconds: float = QUARTER,
    now: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Look at the composite alarm ``name`` for ``seconds``; ``since`` is when the deploy began.

    An alarm that goes off after that condemns the release at once. One that was on before, as it is while a broken
    release is put back, has the whole time to go off again.

    Raises:
        Rings: it went off, did not recover, or is not there.
    """
    end = now() + seconds
    while True:
        alarm = _alarm(alarms, name)
        is_on = alarm["StateValue"] == RINGS
        if is_on and alarm["StateTransitionedTimestamp"].timestamp() >= since:
            raise Rings(
                f"{name} went off after the deploy began: {alarm.get('StateReason', 'no reason given')}"
            )
        if now() >= end:
            if is_on:
                raise Rings(
                    f"{name} was on before the deploy and still is, {seconds / 60:.0f} minutes after it"
                )
            return
        sleep(EVERY)


def _alarm(alarms: Any, name: str) -> dict[str, Any]:
    found = alarms.describe_alarms(AlarmNames=[name], AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
    if not found:
        raise Rings(f"there is no composite alarm {name}: nobody would notice that the release hurts")
    return found[0]


def _deployed(cloudformation: Any, stack: StackOfAssembly) -> dict[str, Any]:
    from botocore.exceptions import ClientError

    try:
        body = cloudformation.get_template(StackName=stack.name, TemplateStage="Original")["TemplateBody"]
    except ClientError as problem:
        error = problem.response.get("Error", {})
        if error.get("Code") == "ValidationError" and "does not exist" in error.get("Message", ""):
            return {"Resources": {}}
        raise
    return body if isinstance(body, dict) else json.loads(body)


def _home(folder: Path) -> StackOfAssembly:
    """A stack of the region that the environment calls its own: where the chat and its alarms are."""
    region = ENVIRONMENTS[folder.name].region
    return next(stack for stack in assembly.stacks(folder) if stack.region == region)


def _as(folder: Path, command: Sequence[str], open_session: Session = session_of) -> int:
    home = _home(folder)
    given = open_session(home.lookup_role, home.region).get_credentials()
    environment = {name: value for name, value in os.environ.items() if name != "AWS_PROFILE"} | {
        "AWS_ACCESS_KEY_ID": given.access_key,
        "AWS_SECRET_ACCESS_KEY": given.secret_key,
        "AWS_SESSION_TOKEN": given.token,
        "AWS_REGION": home.region,
        "AWS_DEFAULT_REGION": home.region,
    }
    return subprocess.run(command, env=environment).returncode


def main(arguments: Sequence[str] | None = None, open_session: Session = session_of) -> int:
    """Do one of them; 1 with a sentence when the release must not go on."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    steps = parser.add_subparsers(dest="step", required=True)
    for step in ("digest", "verify", "show", "as", "watch"):
        one = steps.add_parser(step)
        one.add_argument("environment", choices=sorted(ENVIRONMENTS))
        if step in ("verify", "show"):
            one.add_argument("digest")
        if step == "as":
            one.add_argument("command", nargs="+")
        if step == "watch":
            one.add_argument("--alarm", required=True)
            one.add_argument("--since", type=float, required=True, help="when the deploy began, in Unix time")
    options = parser.parse_args(arguments)
    folder = assembly.DELIVERED / options.environment
    try:
        match options.step:
            case "digest":
                print(assembly.digest(folder))
            case "verify":
                assembly.verify(folder, options.digest)
                print(f"{options.environment} is the assembly that was verified: {options.digest}")
            case "show":
                assembly.verify(folder, options.digest)
                print(shown(folder, open_session))
            case "as":
                return _as(folder, options.command, open_session)
            case _:
                home = _home(folder)
                alarms = open_session(home.lookup_role, home.region).client("cloudwatch")
                watch(alarms, options.alarm, since=options.since)
                print(f"{options.alarm} stayed quiet for a quarter of an hour")
    except (UnusableAssembly, Rings) as problem:
        print(f"release: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
