"""Whom the catalogue signs as: the role of its task where the deployed templates declare one, else the account itself.

As on Fargate the role's credentials come from the address in the environment, by the SDK's own chain of providers,
which asks there again before they run out.
"""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from typing import Any, Final

from botocore.credentials import ContainerProvider

from mangaassist.adapters import clients
from tools.twin.layout import CREDENTIALS

CREDENTIALS_URL: Final = ContainerProvider.ENV_VAR_FULL
PATIENCE_SECONDS: Final = 10


class NoIdentity(Exception):
    """The emulator does not answer, or the task's role does not let ECS assume it."""


def task_role() -> str | None:
    """ARN of the role that the deployed task has; ``None`` when no template has such a task (``local``, ``dev``).

    Raises:
        NoIdentity: it cannot be told.
    """
    try:
        with urllib.request.urlopen(os.environ[CREDENTIALS_URL], timeout=PATIENCE_SECONDS) as answer:
            return json.load(answer)["RoleArn"]
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise NoIdentity(json.load(error)["message"]) from None
    except OSError as error:
        raise NoIdentity(f"the emulator does not say whom the catalogue signs as ({error})") from error


def dynamodb(role: str | None) -> Any:
    """A client that signs as ``role``, or as the account; blocking.

    Raises:
        NoIdentity: the role's credentials cannot be had.
    """
    import boto3
    from botocore.exceptions import BotoCoreError

    # A session and a client of their own: those of the deployment before sign as another.
    clients.client.cache_clear()
    if role is None:
        boto3.setup_default_session(
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )
    else:
        boto3.setup_default_session()
    try:
        return clients.client("dynamodb", read_timeout_seconds=10.0, attempts=2)
    except BotoCoreError as error:
        raise NoIdentity(f"the catalogue has no credentials ({error})") from error
