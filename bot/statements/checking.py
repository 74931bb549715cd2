"""Checking a signed statement: needs the file and the published key, no settings and no database."""

from collections.abc import Iterable
from dataclasses import dataclass

from billing.ledger.statements import Statement, StatementAudit, digest_statement
from bot.signing import PublicKey, by_id
from bot.statements.csv_form import read_csv
from bot.statements.json_form import read_json
from bot.statements.values import StatementFile, StatementFormatError


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementReport:
    """What was found.

    Attributes:
        statement: what the file says of itself; None if it couldn't be read as far as that.
        entries: how many were gone through.
        where: the place of the first offence, "" if it is the statement as a whole.
        problem: the first offence; "" if everything holds.
    """

    statement: Statement | None
    entries: int
    where: str = ""
    problem: str = ""


def check_statement(content: bytes, keys: Iterable[PublicKey]) -> StatementReport:
    """Check every entry, the chain, the sums, and the signature by one of these keys."""
    try:
        file = read_statement(content)
    except StatementFormatError as error:
        return StatementReport(statement=None, entries=0, where=error.where, problem=error.problem)
    count = 0
    audit = StatementAudit(file.statement)
    where, problem = "", audit.open()
    try:
        for entry in file.entries:
            problem = problem or audit.read(entry)
            if problem:
                where = f"entry {entry.seq}"
                break
            count += 1
    except StatementFormatError as error:
        where, problem = error.where, error.problem
    problem = problem or audit.close() or _signature_problem(file, keys)
    return StatementReport(statement=file.statement, entries=count, where=where, problem=problem)


def read_statement(content: bytes) -> StatementFile:
    """Read a statement in either form.

    Raises:
        StatementFormatError: it is none.
    """
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise StatementFormatError("", "isn't UTF-8 text") from None
    return read_json(text) if text.lstrip().startswith("{") else read_csv(text)


def _signature_problem(file: StatementFile, keys: Iterable[PublicKey]) -> str:
    known = by_id(keys)
    key_id = file.statement.key_id
    if key_id not in known:
        return f"names key {key_id!r} as its signer; the key that was given is {', '.join(known)}"
    is_signed = known[key_id].has_signed(digest_statement(file.statement), file.signature)
    return "" if is_signed else "has a signature that doesn't fit: something before its entries was changed"
