"""Check database URLs that users wrote, explain their faults, and keep passwords out of messages.

Parsers disagree about a URL whose password is not percent-encoded: the host according to one parser may be
the end of the password. Such a URL is refused, and messages repeat no part of it. For all other URLs libpq's
messages are shown, because they quote only the host, user or database that the user wrote. Knows nothing of
psycopg2 and SQLAlchemy.
"""

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote

FORM: Final = "postgresql://USER:PASSWORD@HOST:PORT/DATABASE"

_ENCODE: Final = (
    "Percent-encode the user and the password, for example / as %2F, @ as %40, # as %23, ? as %3F, % as %25"
)
_POSTGRES: Final = re.compile(r"(postgres(?:ql)?)(?:\+\w+)?://", re.IGNORECASE)
_SCHEME: Final = re.compile(r"([a-zA-Z][\w.+-]*)://")
_HOST: Final = re.compile(r"(?:\[[0-9A-Fa-f:.]+(?:%\w+)?\]|[\w.%-]*)(?::(\d*))?")
_BAD_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})|%00")
_SETTING: Final = re.compile(r"\s*(\w+)\s*=\s*('(?:[^'\\]|\\.)*'|(?:[^\s'\\]|\\.)(?:[^\s\\]|\\.)*|)(?=\s|$)")
_PARAMETERS: Final = frozenset(
    word
    for line in (
        "application_name channel_binding client_encoding connect_timeout dbname",
        "fallback_application_name gssdelegation gssencmode gsslib host hostaddr keepalives",
        "keepalives_count keepalives_idle keepalives_interval krbsrvname load_balance_hosts",
        "max_protocol_version min_protocol_version oauth_client_id oauth_client_secret oauth_issuer",
        "oauth_scope options passfile password port replication require_auth requirepeer requiressl",
        "scram_client_key scram_server_key service servicefile ssl ssl_max_protocol_version",
        "ssl_min_protocol_version sslcert sslcertmode sslcompression sslcrl sslcrldir sslkey",
        "sslkeylogfile sslmode sslnegotiation sslpassword sslrootcert sslsni target_session_attrs",
        "tcp_user_timeout user",
    )
    for word in line.split()
)
"""Parameters of libpq."""

_SECRET_PARAMETERS: Final = ("password", "sslpassword", "oauth_client_secret")
_SCHEMA_REMEDY: Final = "For a schema write `source.table: schema.table`, or options=-csearch_path%3Dschema"
_FOREIGN_PARAMETERS: Final = {
    "schema": _SCHEMA_REMEDY,
    "currentschema": _SCHEMA_REMEDY,
    "search_path": _SCHEMA_REMEDY,
    "statement_timeout": "Write options=-cstatement_timeout%3D0",
    "timezone": "Write options=-ctimezone%3DUTC",
    **dict.fromkeys(("sslaccept", "sslfactory", "usessl"), "Write sslmode"),
    **dict.fromkeys(("connecttimeout", "logintimeout", "timeout"), "Write connect_timeout"),
    **dict.fromkeys(("charset", "encoding"), "Write client_encoding"),
    "username": "Write user",
    "database": "Write dbname",
    "applicationname": "Write application_name",
    **dict.fromkeys(
        (
            *("pgbouncer", "connection_limit", "pool_timeout", "pool_size", "max_overflow", "pool_mode"),
            *("socket_timeout", "sockettimeout", "tcpkeepalive", "statement_cache_size", "uselibpqcompat"),
            *("prepared_statements", "prepared_statement_cache_size", "preparethreshold", "stringtype"),
        ),
        "Remove it",
    ),
}
"""Parameters of other clients, in lower case, with remedies. Messages repeat no other unknown name."""

_REMEDIES: Final = (
    (
        r"pg_hba.*no encryption",
        "Add sslmode=require to {variable}, or allow unencrypted connections in pg_hba.conf on the server",
    ),
    (r"pg_hba", "Allow this client in pg_hba.conf on the server"),
    (
        r"sslmode|ssl\w+ value|certificate|does not support SSL|SSL error|private key",
        "Fix the SSL parameters (sslmode, sslrootcert, sslcert, sslkey) of {variable}, or the server",
    ),
    (r"not permitted to log in", "Give that role LOGIN on the server, or use another role in {variable}"),
    (r"permission denied for database", "Grant CONNECT on it, or use another user in {variable}"),
    (r"authentication failed", "Fix the user or the password in {variable}. " + _ENCODE),
    (r"no password", "Put one into {variable} or a .pgpass file"),
    (
        r"definition of service|service file",
        "Fix the service in {variable}, or the file at PGSERVICEFILE",
    ),
    (r"translate host", "Fix the host in {variable}"),
    (r"invalid .* value|invalid (port|integer)", "Fix that parameter of {variable}"),
    (r"(role|database) .* does not exist", "Fix the user or the database in {variable}"),
    (
        r"refused|No such file|timeout expired|timed out|unreachable|No route",
        "Start the server, or fix host and port in {variable}",
    ),
    (r"too many|remaining connection slots", "Close some connections, or run again later"),
    (
        r"starting up|shutting down|recovery|closed|terminating|EOF",
        "Check the log of the server, and run again",
    ),
)
_ATTEMPT: Final = re.compile(
    r"^connection to server (?:at|on socket) .*? failed: (?=FATAL|ERROR)|(?:FATAL|ERROR|DETAIL|HINT):  "
)
_LASTING: Final = re.compile(
    r"authentication failed|no password supplied|does not exist|pg_hba\.conf|not permitted to log in|"
    r"permission denied|does not support SSL|certificate|private key|sslmode|invalid \S+ value|"
    r"definition of service|service file|readonly|read-only|unable to open database file"
)
_MIN_SECRET_LENGTH: Final = 4
"""Length from which passwords are hidden; hiding shorter ones would make messages unreadable."""


def url_fault(text: str) -> str | None:
    """Return the fault of a database URL, as the end of a sentence that begins with the variable's name.

    Returns:
        The fault and the remedy, without any part of the URL; None without a fault.
    """
    text = text.strip()
    if text.lower().startswith("jdbc:"):
        return f"is a JDBC URL. Write it as {FORM}"
    scheme = _SCHEME.match(text)
    if scheme is None:
        return _settings_fault(text)
    if scheme[1].lower().startswith("sqlite"):
        return None
    is_postgres = _POSTGRES.match(text) is not None
    return _authority_fault(text[scheme.end() :], is_postgres)


def postgres_fault(text: str) -> str | None:
    """Return `url_fault` for a URL of PostgreSQL or libpq's ``key=value`` settings; others are faults."""
    text = text.strip()
    fault = url_fault(text)
    if fault is None and _SCHEME.match(text) and not _POSTGRES.match(text):
        return f"is not a PostgreSQL URL. Write it as {FORM}"
    return fault


def libpq_url(text: str) -> str:
    """Return a valid URL for libpq: without surrounding white space and without SQLAlchemy's driver name."""
    return _POSTGRES.sub("postgresql://", text.strip(), count=1)


def connection_reason(message: str, url: str) -> str:
    """Return libpq's reason for a failed connection, on one line, without passwords.

    Args:
        message: Message of libpq, with a line for each attempt and hints that begin with a tab.
        url: URL without faults.
    """
    lines = [line for line in message.splitlines() if line.strip() and not line.startswith("\t")]
    reasons = dict.fromkeys(" ".join(_ATTEMPT.sub("", line).split()).rstrip(".") for line in lines)
    return hide_passwords("; ".join(reasons), url) or "no answer"


def remedy(reason: str, variable: str) -> str:
    """Return the remedy for a reason of `connection_reason`, as a sentence without its full stop."""
    for pattern, words in _REMEDIES:
        if re.search(pattern, reason):
            return words.format(variable=variable)
    return f"Fix {variable} or the server"


def is_lasting(reason: str) -> bool:
    """Return whether a failure is permanent, so that a retry is useless."""
    return _LASTING.search(reason) is not None


def hide_passwords(text: str, url: str) -> str:
    """Return a text in which the passwords of a URL are replaced by ``***``."""
    for password in sorted(set(_passwords(url)), key=len, reverse=True):
        if len(password) >= _MIN_SECRET_LENGTH:
            text = text.replace(password, "***")
    return text


def _authority_fault(rest: str, is_postgres: bool) -> str | None:
    """Return the fault of a URL without its scheme; see `url_fault`."""
    escape = f"is ambiguous: its user or its password contains a separator character. {_ENCODE}"
    if re.search(r"\s", rest) or _BAD_PERCENT.search(rest):
        return escape
    credentials, at, remainder = rest.partition("@")
    if not at or "/" in credentials:
        credentials, remainder = "", rest
    address = re.split("[/?#]", remainder, maxsplit=1)[0]
    path, _, query = remainder[len(address) :].partition("?")
    if re.search("[?#]", credentials) or "@" in address or "@" in path:
        return escape
    for host in address.split(","):
        matched = _HOST.fullmatch(host)
        if matched is None or int(matched[1] or 0) > 65535:
            return f"has no valid host and port. Write it as {FORM}. {_ENCODE}"
    return _query_fault(query) if is_postgres else None


def _query_fault(query: str) -> str | None:
    for number, parameter in enumerate(query.split("&") if query else [], start=1):
        name, separator, value = parameter.partition("=")
        if not separator or "=" in value:
            return (
                f"is ambiguous: parameter {number} after the ? does not have the form name=value. "
                "Percent-encode values, for example & as %26 and = as %3D"
            )
        if (fault := _parameter_fault(unquote(name), number)) is not None:
            return fault
    return None


def _settings_fault(text: str) -> str | None:
    """Return the fault of libpq's ``key=value`` settings; see `url_fault`."""
    names, end = [], 0
    for setting in _SETTING.finditer(text):
        if setting.start() != end:
            break
        names.append(setting[1])
        end = setting.end()
    if not names or text[end:].strip():
        return (
            f"is not a PostgreSQL URL. Write it as {FORM}, or as `key=value` settings, with quotes around "
            "values that contain spaces"
        )
    faults = (_parameter_fault(name, number) for number, name in enumerate(names, start=1))
    return next((fault for fault in faults if fault is not None), None)


def _parameter_fault(name: str, number: int) -> str | None:
    if name in _PARAMETERS:
        return None
    instead = _FOREIGN_PARAMETERS.get(name.lower())
    if instead is None:
        return (
            f"has a parameter that PostgreSQL's client does not know (number {number}). Remove it, or "
            "percent-encode the password if it is part of that"
        )
    return f"has the parameter `{name}`, which PostgreSQL's client does not know. {instead}"


def _passwords(url: str) -> Iterator[str]:
    """Yield the passwords in a URL without faults, as written and decoded."""
    url = url.strip()
    found = []
    scheme = _SCHEME.match(url)
    if scheme is None:
        for name, value in _SETTING.findall(url):
            if name in _SECRET_PARAMETERS:
                found.append(value)
                found.append(re.sub(r"\\(.)", r"\1", value.removeprefix("'").removesuffix("'")))
    else:
        credentials, at, _ = url[scheme.end() :].partition("@")
        if at and "/" not in credentials:
            found.append(credentials.partition(":")[2])
        for parameter in url.partition("?")[2].split("&"):
            name, _, value = parameter.partition("=")
            if name in _SECRET_PARAMETERS:
                found.append(value)
    for password in found:
        yield from (text for text in (password, unquote(password)) if text)
