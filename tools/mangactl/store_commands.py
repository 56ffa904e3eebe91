"""``mangactl store``: prices, stock and orders, through the partner services' own API."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import quote

import httpx
import typer
from rich.console import Group, RenderableType

from services.partners.money import cents
from services.partners.schemas import ASIN_PATTERN, ID_PATTERN
from tools.mangactl.failures import BadArgument, CommandFailure, Conflict, Unavailable
from tools.mangactl.options import JsonOption
from tools.mangactl.output import show, table

app = typer.Typer(rich_markup_mode=None, help="The store behind the assistant: an offer, its price, orders.")

TIMEOUT_SECONDS = 10
Role = Literal["reader", "administrator"]

AsinArgument = Annotated[str, typer.Argument(metavar="ASIN", help="Such as B0C62K7GJL.", show_default=False)]
UrlOption = Annotated[
    str | None,
    typer.Option("--url", envvar="PARTNERS_URL", help="Base URL of the services; else the running twin's."),
]
CredentialOption = Annotated[
    str | None,
    typer.Option(
        "--credential", envvar="PARTNERS_CREDENTIAL", help="Bearer credential; else the running twin's."
    ),
]
AdminCredentialOption = Annotated[
    str | None,
    typer.Option(
        "--admin-credential",
        envvar="PARTNERS_ADMIN_CREDENTIAL",
        help="Credential that may write; else the running twin's.",
    ),
]


@dataclass(frozen=True)
class Place:
    """Where the services are and what they are told."""

    url: str
    credential: str
    role: Role

    def ask(self, method: str, path: str, **given: Any) -> dict[str, Any]:
        """The answer's document.

        Raises:
            Unavailable: nobody answers, or not to this credential.
            BadArgument: the service knows no such thing.
            Conflict: it contradicts what is there.
            CommandFailure: anything else.
        """
        headers = {"Authorization": f"Bearer {self.credential}"}
        try:
            answer = httpx.request(
                method, f"{self.url}{path}", headers=headers, timeout=TIMEOUT_SECONDS, **given
            )
        except httpx.InvalidURL:
            raise BadArgument("the base URL is none: give one like http://127.0.0.1:4580") from None
        except httpx.HTTPError as error:
            raise Unavailable(f"the partner services do not answer ({type(error).__name__})") from None
        try:
            document: Any = answer.json()
        except ValueError:
            raise CommandFailure(
                f"the answer is not JSON (status {answer.status_code}): is this the partner services' URL?"
            ) from None
        if answer.is_success:
            return document
        raise _failure(answer.status_code, document)


def twin_place(role: Role) -> Place | None:
    """The running twin's services.

    The twin's record is where this is read from once the twin starts them; None until then.
    """
    return None


@app.command()
def offer(
    asin: AsinArgument,
    url: UrlOption = None,
    credential: CredentialOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a book costs now, its stock, and what it cost before."""
    _check_asin(asin)
    place = _place(url, credential, "reader")
    found = place.ask("GET", f"/pricing/v1/offers/{asin}")
    history = place.ask("GET", f"/pricing/v1/offers/{asin}/history")["changes"]
    show({"offer": found, "history": history}, Group(_offer(found), _history(history)), as_json=as_json)


@app.command()
def price(
    asin: AsinArgument,
    new_price: Annotated[str, typer.Option("--set", metavar="AMOUNT", help="The price in USD, like 7.99.")],
    list_price: Annotated[
        str | None,
        typer.Option(
            "--list",
            metavar="AMOUNT",
            help="The price before a reduction; none takes it away. Else it stays.",
            show_default=False,
        ),
    ] = None,
    stock: Annotated[
        int | None, typer.Option(min=0, help="How many there are. Else it stays.", show_default=False)
    ] = None,
    url: UrlOption = None,
    admin_credential: AdminCredentialOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set a price; the next answer's card shows it. Saying it twice changes nothing more."""
    _check_asin(asin)
    change: dict[str, Any] = {"price": _amount(new_price)}
    if list_price is not None:
        change["list_price"] = None if list_price == "none" else _amount(list_price)
    if stock is not None:
        change["stock"] = stock
    place = _place(url, admin_credential, "administrator")
    found = place.ask("PUT", f"/pricing/v1/offers/{asin}", json=change)
    show({"offer": found}, _offer(found), as_json=as_json)


@app.command()
def orders(
    customer: Annotated[
        str, typer.Argument(metavar="CUSTOMER", help="Such as customer-0001.", show_default=False)
    ],
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many, newest first.")] = 20,
    url: UrlOption = None,
    credential: CredentialOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a customer's orders."""
    _check(ID_PATTERN, customer, "a customer is named like customer-0001")
    place = _place(url, credential, "reader")
    path = f"/orders/v1/customers/{quote(customer, safe='')}/orders"
    found = place.ask("GET", path, params={"limit": limit})
    show(found, _orders(found["orders"]), as_json=as_json)


def _place(url: str | None, credential: str | None, role: Role) -> Place:
    if url and credential:
        return Place(url.rstrip("/"), credential, role)
    if found := twin_place(role):
        return Place((url or found.url).rstrip("/"), credential or found.credential, role)
    variable = "PARTNERS_ADMIN_CREDENTIAL" if role == "administrator" else "PARTNERS_CREDENTIAL"
    raise Unavailable(f"where are the partner services? Start the twin, or set PARTNERS_URL and {variable}")


def _failure(status: int, document: Any) -> CommandFailure:
    try:
        told = str(document["detail"])
    except (LookupError, TypeError):
        told = f"status {status}"
    match status:
        case 401 | 403:
            return Unavailable(f"the partner services refuse the credential: {told}")
        case 404 | 422:
            return BadArgument(f"the partner services say: {told}")
        case 409 | 412:
            return Conflict(f"the partner services say: {told}")
        case _:
            return CommandFailure(f"the partner services failed: {told}")


def _check_asin(asin: str) -> None:
    _check(ASIN_PATTERN, asin, "an ASIN is ten of A-Z and 0-9, like B0C62K7GJL")


def _check(pattern: str, value: str, told: str) -> None:

    if not re.fullmatch(pattern, value) or value.endswith("\n"):
        raise BadArgument(told)


def _amount(text: str) -> dict[str, str]:
    try:
        cents(text)
    except ValueError as error:
        raise BadArgument(str(error)) from None
    return {"amount": text, "currency": "USD"}


def _money(document: Mapping[str, str] | None) -> str:
    return f"${document['amount']}" if document else ""


def _offer(found: Mapping[str, Any]) -> RenderableType:
    listed = table("ASIN", "price", "list price", "stock", "as of")
    row = (found["asin"], _money(found["price"]), _money(found["list_price"]), found["stock"], found["as_of"])
    listed.add_row(*map(str, row))
    return listed


def _history(changes: list[dict[str, Any]]) -> RenderableType:
    listed = table("since", "price", "list price", "stock", title="\nhistory, newest first")
    for each in changes:
        row = (each["changed_at"], _money(each["price"]), _money(each["list_price"]), each["stock"])
        listed.add_row(*map(str, row))
    return listed


def _orders(found: list[dict[str, Any]]) -> RenderableType:
    if not found:
        return "no orders"
    listed = table("order", "placed", "status", "total", "books")
    for each in found:
        books = "; ".join(f"{line['quantity']} x {line['title']} ({line['asin']})" for line in each["lines"])
        listed.add_row(each["order_id"], each["placed_at"], each["status"], _money(each["total"]), books)
    return listed
