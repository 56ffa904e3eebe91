"""The header that CloudFront adds on its way to the APIs, in a distribution's configuration."""

from __future__ import annotations

from typing import Any, Final

from mangaassist.adapters.errors import translate
from mangaassist.errors import RotationRefused

DEPENDENCY: Final = "edge"


class EdgeOrigins:
    """The origins of one distribution that are sent the header ``header``."""

    def __init__(self, client: Any, distribution_id: str, header: str) -> None:
        self._client, self._id, self._header = client, distribution_id, header

    def send(self, value: str) -> None:
        """Send ``value`` from now on; edges follow within minutes. Nothing happens when it is sent already.

        Raises:
            DependencyError: CloudFront failed, or somebody else changed the distribution at the same time.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        config, etag = self._config()
        headers = self._headers(config)
        if all(header["HeaderValue"] == value for header in headers):
            return
        for header in headers:
            header["HeaderValue"] = value
        try:
            self._client.update_distribution(Id=self._id, IfMatch=etag, DistributionConfig=config)
        except (BotoCoreError, ClientError) as error:
            raise translate(DEPENDENCY, error) or error from None

    def prove(self, value: str) -> None:
        """Check that every origin is sent ``value``.

        Raises:
            RotationRefused: one is not.
            DependencyError: CloudFront failed.
        """
        if any(header["HeaderValue"] != value for header in self._headers(self._config()[0])):
            raise RotationRefused("testSecret", "the distribution does not send the pending version")

    def _config(self) -> tuple[dict[str, Any], str]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer = self._client.get_distribution_config(Id=self._id)
        except (BotoCoreError, ClientError) as error:
            raise translate(DEPENDENCY, error) or error from None
        return answer["DistributionConfig"], answer["ETag"]

    def _headers(self, config: dict[str, Any]) -> list[dict[str, str]]:
        headers = [
            header
            for origin in config["Origins"]["Items"]
            for header in origin.get("CustomHeaders", {}).get("Items", ())
            if header["HeaderName"].lower() == self._header
        ]
        if not headers:
            raise RotationRefused("setSecret", "no origin of the distribution is sent the header")
        return headers
