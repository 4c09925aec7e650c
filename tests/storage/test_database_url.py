"""Database URLs: which are accepted, which are refused, and that messages never repeat a refused URL."""

import pytest

from trajtune.storage.database_url import (
    connection_reason,
    is_lasting,
    libpq_url,
    postgres_fault,
    remedy,
    url_fault,
)

SECRET = "Zyxomma"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:Pass@db.example.com:5432/crm",
        "postgres://user@db/crm?sslmode=require&application_name=x",
        "postgresql+psycopg2://user:p%40ss%2Fword@db/crm",
        "postgresql://postgres@/postgres?host=%2Ftmp%2Fsocket",
        "postgresql:///crm?user=me@tenant",
        "postgresql://user:pass@[::1]:5432/crm",
        "postgresql://user:pass@one:1,two:2/crm",
        "postgresql://?service=crm",
        "host=h dbname=d user=u password=it's",
        "host = h password = 'with blanks and \\' quotes'",
        "service=crm",
    ],
)
def test_unambiguous_urls_are_accepted(url: str) -> None:
    assert postgres_fault(f" {url}\n") is None


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        (f"postgresql://user:{SECRET}/Pass@db.example.com:5432/crm", "Percent-encode"),
        (f"postgresql://user:Pass/{SECRET}@db.example.com:5432/crm", "Percent-encode"),
        (f"postgresql://user:12/{SECRET}@db/crm", "Percent-encode"),
        (f"postgresql://user:Pass@{SECRET}@db/crm", "Percent-encode"),
        (f"postgresql://user:{SECRET}@1@db/crm", "Percent-encode"),
        (f"postgresql://user:Pass#{SECRET}@db/crm", "Percent-encode"),
        (f"postgresql://user:Pass?{SECRET}@db/crm", "Percent-encode"),
        (f"postgresql://user:100%{SECRET}@db/crm", "Percent-encode"),
        (f"postgresql://user:Pass {SECRET}@db/crm", "Percent-encode"),
        (f"postgresql://host?password=Pass@{SECRET}", "Percent-encode"),
        (f"postgresql://user:{SECRET}", "Percent-encode"),
        (f"postgresql://{SECRET}:99999/db", "Percent-encode"),
        (f"postgresql://user:pass@[{SECRET}/crm", "Percent-encode"),
        (f"postgresql://host/db?password=a&{SECRET}=1", "percent-encode"),
        (f"postgresql://host/db?password=a&{SECRET}", "Percent-encode"),
        (f"postgresql://host/db?password=a={SECRET}", "Percent-encode"),
        (
            f"jdbc:postgresql://host/db?user=u&password={SECRET}",
            "is a JDBC URL. Write it as postgresql://USER",
        ),
        (f"user:{SECRET}@host/db", "Write it as postgresql://USER"),
        (f"postgresql:/user:{SECRET}@host/db", "Write it as postgresql://USER"),
        (f"https://user:{SECRET}@host/db", "is not a PostgreSQL URL"),
        (f"host=h password=a {SECRET}", "quotes around values that contain spaces"),
        (f"host=h password=a {SECRET}=b", "number 3"),
        (f"{SECRET} {SECRET}", "Write it as postgresql://USER"),
        ("", "Write it as postgresql://USER"),
    ],
)
def test_ambiguous_urls_are_refused_without_repeating_any_part(url: str, remedy: str) -> None:
    fault = postgres_fault(url)
    assert fault is not None
    assert remedy in fault
    assert SECRET not in fault
    assert "Pass@" not in fault
    assert "\n" not in fault


@pytest.mark.parametrize("name", ["schema", "currentSchema", "sslaccept", "pgbouncer", "connection_limit"])
def test_a_parameter_of_another_client_is_named_in_the_fault(name: str) -> None:
    for url in (f"postgresql://u:p@h/d?sslmode=require&{name}=x", f"host=h {name}=x"):
        fault = postgres_fault(url)
        assert fault is not None
        assert fault.startswith(f"has the parameter `{name}`, which PostgreSQL's client does not know. ")


def test_urls_of_other_databases_are_only_checked_for_their_passwords() -> None:
    assert url_fault("sqlite:////tmp/a@b.db") is None
    assert url_fault("mysql+pymysql://u:p@h/d?charset=utf8") is None
    assert "Percent-encode" in str(url_fault(f"mysql://u:a@{SECRET}@h/d"))


def test_the_driver_of_sqlalchemy_is_removed_for_libpq() -> None:
    assert libpq_url(" postgresql+psycopg2://u:p@h/d\n") == "postgresql://u:p@h/d"
    assert libpq_url("postgres://u:p@h/d") == "postgresql://u:p@h/d"
    assert libpq_url("host=h dbname=d") == "host=h dbname=d"


def test_a_reason_is_libpqs_message_on_one_line_without_passwords() -> None:
    url = f"postgresql://u:{SECRET}%21@h/d"
    failed = 'connection to server at "h", port 5432 failed: '
    message = (
        f'{failed}FATAL:  no pg_hba.conf entry for host "10.0.0.2"\n'
        f'{failed}FATAL:  no pg_hba.conf entry for host "10.0.0.2"\n'
        f"{failed}Connection refused {SECRET}!\n\tIs the server running?\n"
    )
    assert connection_reason(message, url) == (
        f'no pg_hba.conf entry for host "10.0.0.2"; {failed}Connection refused ***'
    )


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ('invalid sslmode value: "bogus"', "Fix the SSL parameters"),
        ("server does not support SSL, but SSL was required", "Fix the SSL parameters"),
        ('root certificate file "/root/.postgresql/root.crt" does not exist', "Fix the SSL parameters"),
        ('definition of service "crm" not found', "Fix the service in X"),
        ('role "me" is not permitted to log in', "Give that role LOGIN"),
        ('database "crm" does not exist', "Fix the user or the database in X"),
        ('permission denied for database "crm"', "Grant CONNECT"),
        ('password authentication failed for user "me"', "Fix the user or the password in X. Percent-encode"),
    ],
)
def test_permanent_failures_are_not_retried_and_have_specific_remedies(reason: str, words: str) -> None:
    assert is_lasting(reason)
    assert remedy(reason, "X").startswith(words)


@pytest.mark.parametrize(
    "reason",
    ["Connection refused", "SSL SYSCALL error: EOF detected", "SSL connection has been closed unexpectedly"],
)
def test_failures_during_a_restart_are_retried(reason: str) -> None:
    assert not is_lasting(reason)
