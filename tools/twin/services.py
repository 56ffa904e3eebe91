"""The services of the twin: how each is started and what it is told."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tools.twin import interpreters
from tools.twin.credentials import partner_credentials
from tools.twin.layout import CREDENTIALS, HOST, REGION, ROOT, Layout
from tools.twin.loading import feed_parts
from tools.twin.processes import Service, base_environment

OWN_IMPORT_ROOTS = os.pathsep.join((str(ROOT), str(ROOT / "layers" / "core" / "python")))
LOCATION = ("TWIN_HOME", "TWIN_PORT_BASE")
"""Settings that say which twin is meant, not how it behaves."""
CODE = (Path(__file__).parent, ROOT / "services")
IDLE_WORKER_SECONDS = "60"
"""A burst leaves one worker per parallel call; all but the first go after this long."""


def services(layout: Layout) -> list[Service]:
    """Every service, in the order they start; makes the interpreters they need."""
    authorizer = ("--authorizer", layout.url("emulator")) if enforces_iam() else ()
    return [
        _emulator(layout, interpreters.emulator_python(), interpreters.lambda_python()),
        _own(
            layout,
            "models",
            # Shared by all homes: what was trained here once is as good for every twin.
            *("--state", str(interpreters.CACHE / "models")),
            *("--control-plane", str(layout.state_of("control-plane"))),
            *("--emulator", layout.url("emulator")),
            *authorizer,
        ),
        _own(layout, "search", "--state", str(layout.state_of("search")), *authorizer),
        _own(
            layout, "edge", "--emulator-port", str(layout.ports["emulator"]), "--outputs", str(layout.outputs)
        ),
        _partners(layout),
        _catalogue(layout),
    ]


def enforces_iam() -> bool:
    """Whether functions may do what their roles allow and no more; ``TWIN_ENFORCE_IAM=0`` lets them do all."""
    return os.environ.get("TWIN_ENFORCE_IAM") != "0"


def _emulator(layout: Layout, python: Path, lambda_python: Path) -> Service:
    state, port = layout.state_of("emulator"), layout.ports["emulator"]
    temporary = state / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    settings = {
        **CREDENTIALS,
        "AWS_DEFAULT_REGION": REGION,
        "GATEWAY_PORT": str(port),
        "BIND_HOST": HOST,
        "LOG_LEVEL": "INFO",
        # Functions get their roles' permissions and no more, so that a missing grant fails here first.
        "AUTH": "true" if enforces_iam() else "false",
        "PERSIST_STATE": "1",
        "STATE_DIR": str(state / "services"),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(state / "s3"),
        "TMPDIR": str(temporary),
        "LAMBDA_WARM_TTL_SECONDS": IDLE_WORKER_SECONDS,
        # Listeners of services we do not use.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "TWIN_LAMBDA_PYTHON": str(lambda_python),
        "TWIN_OPENSEARCHSERVERLESS_COLLECTIONENDPOINT": layout.url("search"),
        # No cache here: whoever connects is refused at once.
        "TWIN_ELASTICACHE_ENDPOINT_ADDRESS": HOST,
        "TWIN_ELASTICACHE_ENDPOINT_PORT": "1",
        # Functions inherit these: services the emulator lacks, and the trace store on the same port by UDP.
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": layout.url("models"),
        "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": layout.url("models"),
        "AWS_ENDPOINT_URL_PERSONALIZE_RUNTIME": layout.url("models"),
        # Control planes that the capacity functions call (tools/twin/control_plane).
        "AWS_ENDPOINT_URL_APPLICATION_AUTO_SCALING": layout.url("models"),
        "AWS_ENDPOINT_URL_BEDROCK": layout.url("models"),
        "AWS_ENDPOINT_URL_OPENSEARCHSERVERLESS": layout.url("models"),
        "AWS_ENDPOINT_URL_SAGEMAKER": layout.url("models"),
        "AWS_XRAY_DAEMON_ADDRESS": f"{HOST}:{port}",
        "AWS_EC2_METADATA_DISABLED": "true",
        # Without it every thread grows a heap of its own.
        "MALLOC_ARENA_MAX": "2",
    }
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))  # node is in there
    return Service(
        "emulator",
        [str(python), "-m", "tools.twin.emulator"],
        base_environment(**settings, PATH=path),
        f"{layout.url('emulator')}/_twin/health",
        layout.log("emulator"),
        ROOT,
    )


def _partners(layout: Layout) -> Service:
    # Its world is made from the feed, which ingest is given later on.
    feed_parts(layout)
    known = partner_credentials(layout)
    return _own(
        layout,
        "partners",
        *("--database", str(layout.state_of("partners") / "world.sqlite")),
        *("--feed", str(layout.feed)),
        PARTNERS_CREDENTIAL=known.reader,
        PARTNERS_ADMIN_CREDENTIAL=known.admin,
    )


def _catalogue(layout: Layout) -> Service:
    """Started as ECS starts a container: without keys, told where those of its task's role are."""
    return _own(
        layout,
        "catalogue",
        *("--grpc-port", str(layout.grpc_port)),
        *("--outputs", str(layout.outputs)),
        AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{layout.url('emulator')}/_twin/task-credentials/catalogue",
        AWS_ENDPOINT_URL=layout.url("emulator"),
        AWS_REGION=REGION,
        AWS_DEFAULT_REGION=REGION,
        # A person's own keys, which an image does not hold, would come first.
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
    )


def _own(layout: Layout, name: str, *arguments: str, **variables: str) -> Service:
    forwarded = {key: value for key, value in os.environ.items() if key.startswith("TWIN_")}
    settings = {
        **forwarded,
        "PYTHONPATH": OWN_IMPORT_ROOTS,
        "OMP_NUM_THREADS": "1",
        **variables,
    }
    command = [sys.executable, "-m", f"tools.twin.{name}", "--port", str(layout.ports[name]), *arguments]
    environment = base_environment(**settings)
    return Service(name, command, environment, f"{layout.url(name)}/_twin/health", layout.log(name), ROOT)


def code_fingerprint(folders: Sequence[Path] = CODE) -> str:
    """A digest of the code that the services run and of their settings: when it differs, they are started anew."""
    digest = hashlib.sha256(sys.version.encode())
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes())
    for key in sorted(os.environ):
        if key.startswith("TWIN_") and key not in LOCATION:
            digest.update(f"{key}={os.environ[key]}".encode())
    return digest.hexdigest()
