"""The model policy from AppConfig: polled at most every 15 s, never without an answer (GEN-2, OPS-2).

A handler starts with the built-in policy, takes every good document AppConfig serves, and keeps the last good one
when AppConfig is silent or serves something that is no valid policy.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from mangaassist.errors import InvalidModelPolicy
from mangaassist.generation.policy import ModelPolicy, built_in_policy, parse_policy
from mangaassist.observability import logger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.parameters import AppConfigProvider

POLL_SECONDS: Final = 15
"""The shortest interval AppConfig lets a session ask for (API model appconfigdata); OPS-2 allows 60 s in all."""
BUILT_IN: Final = "built-in"


class AppConfigPolicySource:
    """A ``PolicySource`` for one profile, named by ids. ``client`` is an appconfigdata client."""

    def __init__(
        self,
        *,
        application: str,
        environment: str,
        profile: str,
        client: Any = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._application = application
        self._environment = environment
        self._profile = profile
        self._client = client
        self._clock = clock
        self._provider: Any = None
        self._next_poll = clock()
        self._lock = threading.Lock()
        self._document: bytes | None = None
        self._policy = built_in_policy()
        self._version = BUILT_IN

    @property
    def version(self) -> str:
        """Fingerprint of the policy in force, as ``mangactl policy history`` shows it; or ``built-in``."""
        return self._version

    async def current(self) -> ModelPolicy:
        """The policy in force; asks AppConfig, in a thread, only when a poll is due."""
        return await asyncio.to_thread(self.latest) if self._due() else self._policy

    def latest(self) -> ModelPolicy:
        """The same for callers without an event loop."""
        # Two callers at once make one poll: the second waits and finds it done.
        with self._lock:
            if self._due():
                self._poll()
                self._next_poll = self._clock() + POLL_SECONDS
        return self._policy

    def _due(self) -> bool:
        return self._clock() >= self._next_poll

    def _poll(self) -> None:
        try:
            self._provider = self._provider or self._connect()
            document: object = self._provider.get(
                self._profile, force_fetch=True, RequiredMinimumPollIntervalInSeconds=POLL_SECONDS
            )
        except Exception as error:
            # Whatever fails, a policy is in hand. A poll token works once, and whether the failed call used it up
            # is unknown: begin a new session. Powertools wraps the real error.
            self._provider = None
            self._keep(type(error.__context__ or error).__name__)
            return
        if isinstance(document, bytes) and document != self._document:
            self._document = document
            self._adopt(document)

    def _adopt(self, document: bytes) -> None:
        try:
            policy = parse_policy(document)
        except InvalidModelPolicy as error:
            self._keep(str(error))
            return
        self._policy, self._version = policy, policy.fingerprint
        logger().info("model policy adopted", policy_version=self._version, version_note=policy.version_note)

    def _keep(self, reason: str) -> None:
        logger().warning("model policy not updated", policy_version=self._version, reason=reason)

    def _connect(self) -> AppConfigProvider:
        from aws_lambda_powertools.utilities.parameters import AppConfigProvider

        if self._client is None:
            from mangaassist.adapters.clients import client

            # A turn waits for this; with the last good copy at hand there is nothing worth a longer wait.
            self._client = client("appconfigdata", read_timeout_seconds=1.0, attempts=1)
        return AppConfigProvider(
            environment=self._environment, application=self._application, boto3_client=self._client
        )
