"""The OpenAPI document of the services as text, for the repository and for whoever generates a client."""

from __future__ import annotations

import json

from services.partners.app import create_app
from services.partners.database.sessions import Database
from services.partners.security import Credentials


def render() -> str:
    """The document; it depends on the routes alone."""
    # Neither the database nor the credentials are used: a document asks nobody.
    app = create_app(Database("sqlite:///unused.db"), Credentials("unused-reader-00", "unused-admin-000"))
    return json.dumps(app.openapi(), indent=2, ensure_ascii=False) + "\n"
