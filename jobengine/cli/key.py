"""``jobengine key``: API keys. A key is printed once, when it is made; only its hash is stored."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from jobengine.cli.open_database import upgraded, works_on_database
from jobengine.cli.options import document_form, rows_form, works_on_data

if TYPE_CHECKING:
    from jobengine.history.database import Database
    from jobengine.settings import Settings

ROLES = ("viewer", "operator", "admin")
TAKEN = ("contents", "engine", "local")
"""Actors in the history and in events that are no key: who could bear their names could hide behind them."""
LONGEST_NAME = 200
LONGEST_DAYS = 36_525
COLUMNS = {
    "Key": "keyId",
    "Name": "name",
    "Role": "role",
    "Created": "createdTime",
    "Expires": "expiresTime",
    "Revoked": "revokedTime",
}


def _read_name(context: click.Context, parameter: click.Parameter, name: str) -> str:
    if not name.strip() or not name.isprintable():
        raise click.BadParameter("must be a name that can be read in the history")
    if len(name) > LONGEST_NAME:
        raise click.BadParameter(f"must have {LONGEST_NAME} characters at most")
    if name.strip().lower() in TAKEN:
        raise click.BadParameter(f"{name!r} stands for something else in the history")
    return name


@click.group()
def key() -> None:
    """API keys. As soon as there is one, every call needs one. Needs no running service."""


@key.command()
@click.argument("name", callback=_read_name)
@click.option(
    "--role", type=click.Choice(ROLES), required=True, help="A higher role may do all of a lower one."
)
@click.option(
    "--days",
    type=click.FloatRange(min=0, max=LONGEST_DAYS, min_open=True),
    help="The key expires after so many days.",
)
@document_form
@works_on_data
def create(settings: Settings, name: str, role: str, days: float | None, form: str) -> None:
    """Make a key for NAME and print it: it can't be shown again.

    \b
    Example:
      jobengine key create desk --role operator > desk.key
    """
    from jobengine.cli.output import to_json
    from jobengine.clock import SystemClock, to_text
    from jobengine.history.keys import ApiKeyRecord, ApiKeys
    from jobengine.model.api_key import ApiKey

    made, now = ApiKey(secrets.token_hex(6), secrets.token_urlsafe(32)), SystemClock().now()
    record = ApiKeyRecord(
        made.key_id,
        made.secret_hash,
        role,
        name,
        created_time=to_text(now),
        expires_time=to_text(now + timedelta(days=days)) if days else None,
    )
    with upgraded(settings) as database:
        ApiKeys(database).create(record)
    document = {
        "keyId": made.key_id,
        "name": name,
        "role": role,
        "expiresTime": record.expires_time,
        "token": str(made),
    }
    click.echo(to_json(document) if form == "json" else str(made))
    advice = "keep it in a file for --token-file, it can't be shown again"
    click.echo(f"the key {made.key_id} is made; {advice}", err=True)


@key.command("list")
@rows_form
@works_on_database
def list_(database: Database, form: str) -> None:
    """List the keys, without their secrets.

    \b
    Example:
      jobengine key list
    """
    from jobengine.cli.output import show_rows
    from jobengine.history.keys import ApiKeys

    rows = [
        {
            "keyId": record.key_id,
            "name": record.name,
            "role": record.role,
            "createdTime": record.created_time,
            "expiresTime": record.expires_time,
            "revokedTime": record.revoked_time,
        }
        for record in ApiKeys(database).list()
    ]
    show_rows(form, rows, COLUMNS)


@key.command()
@click.argument("key_id", metavar="KEY")
@works_on_database
def revoke(database: Database, key_id: str) -> None:
    """Refuse KEY from now on; a running service notices within a second.

    \b
    Example:
      jobengine key revoke 9f86d081884c
    """
    from jobengine.clock import SystemClock, to_text
    from jobengine.history.keys import ApiKeys

    ApiKeys(database).revoke(key_id, to_text(SystemClock().now()))
    click.echo(f"the key {key_id} is revoked", err=True)
