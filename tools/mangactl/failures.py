"""How a command fails: an exit code for scripts, a code for programs, one line for people.

| exit | meaning |
| --- | --- |
| 0 | done, or nothing to do |
| 1 | it was tried and failed |
| 2 | wrong arguments |
| 3 | the model policy was refused; nothing was changed |
| 4 | nothing there to work on: the twin is down, the environment is not deployed, no credentials |
| 5 | somebody else is changing the same thing; look and run the command again |
| 130 | interrupted |
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class CommandFailure(Exception):
    """It was tried and failed; the message is one line that says what to do."""

    exit_code: ClassVar[int] = 1
    code: ClassVar[str] = "failed"

    def __init__(self, message: str, problems: Sequence[str] = ()) -> None:
        self.problems = tuple(problems)
        super().__init__(" ".join(message.split()))

    def as_document(self) -> dict[str, object]:
        """The machine-readable form."""
        error: dict[str, object] = {"code": self.code, "message": str(self), "exit_code": self.exit_code}
        if self.problems:
            error["problems"] = list(self.problems)
        return {"error": error}


class BadArgument(CommandFailure):
    """The command cannot mean anything."""

    exit_code = 2
    code = "bad_argument"


class PolicyRefused(CommandFailure):
    """The document breaks the schema or makes no sense; nothing was changed."""

    exit_code = 3
    code = "policy_refused"


class Unavailable(CommandFailure):
    """There is nothing to work on."""

    exit_code = 4
    code = "unavailable"


class Conflict(CommandFailure):
    """Somebody else is changing the same thing."""

    exit_code = 5
    code = "conflict"


class Declined(CommandFailure):
    """The person said no."""

    code = "declined"


def as_failure(error: Exception) -> CommandFailure:
    """Any exception as one line; what nobody foresaw keeps its class as the clue."""
    from botocore.exceptions import BotoCoreError, ClientError

    from mangaassist.errors import InvalidModelPolicy
    from tools.chat_client import ChatError, ConnectFailed
    from tools.twin.errors import TwinError

    match error:
        case CommandFailure():
            return error
        case InvalidModelPolicy():
            return PolicyRefused(_counted(error.problems), error.problems)
        case ConnectFailed():
            return Unavailable(f"{error}: see `mangactl twin status`, or the API's logs")
        case TwinError() | ChatError():
            return CommandFailure(str(error))
        case ClientError():
            return _service_failure(error)
        case BotoCoreError():
            return _sdk_failure(error)
        case _:
            return CommandFailure(
                f"unexpected {type(error).__name__}: {error} (MANGACTL_TRACEBACK=1 shows where)"
            )


def _counted(problems: Sequence[str]) -> str:
    if len(problems) == 1:
        return f"the policy is refused: {problems[0]}"
    return f"the policy is refused for {len(problems)} reasons, the first: {problems[0]}"


def _service_failure(error: Exception) -> CommandFailure:
    answer = getattr(error, "response", {}).get("Error", {})
    code, message = answer.get("Code", "Unknown"), answer.get("Message", "")
    match code:
        case "ConflictException":
            return Conflict(
                f"AppConfig says: {message} Look with `mangactl policy show` and run the command again"
            )
        case "BadRequestException":
            return PolicyRefused(f"AppConfig refused it: {message}")
        case "AccessDeniedException" | "AccessDenied":
            return CommandFailure(f"access denied: {message}")
        case (
            "ExpiredToken" | "ExpiredTokenException" | "UnrecognizedClientException" | "InvalidClientTokenId"
        ):
            return Unavailable("the AWS credentials are not valid (any more): sign in again")
        case _:
            return CommandFailure(f"{code}: {message}")


def _sdk_failure(error: Exception) -> CommandFailure:
    match type(error).__name__:
        case "NoCredentialsError" | "PartialCredentialsError" | "ProfileNotFound" | "SSOTokenLoadError":
            return Unavailable("no AWS credentials: sign in, or set AWS_PROFILE")
        case "EndpointConnectionError" | "ConnectTimeoutError" | "ReadTimeoutError" | "ConnectionClosedError":
            return Unavailable(f"{error} See `mangactl twin status`, or the network")
        case name:
            return CommandFailure(f"{name}: {error}")
