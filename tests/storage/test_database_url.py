"""URLs of databases: what is accepted, what is refused, and that nothing of a refused one is shown."""

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
def test_what_libpq_reads_in_one_way_is_accepted(url: str) -> None:
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
        (f"https://user:{SECRET}@host/db", "is no PostgreSQL URL"),
        (f"host=h password=a {SECRET}", "quotes around blanks"),
        (f"host=h password=a {SECRET}=b", "number 3"),
        (f"{SECRET} {SECRET}", "Write it as postgresql://USER"),
        ("", "Write it as postgresql://USER"),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused_with_the_remedy_alone(url: str, remedy: str) -> None:
    fault = postgres_fault(url)
    assert fault is not None
    assert remedy in fault
    assert SECRET not in fault
    assert "Pass@" not in fault
    assert "\n" not in fault


@pytest.mark.parametrize("name", ["schema", "currentSchema", "sslaccept", "pgbouncer", "connection_limit"])
def test_a_parameter_of_another_client_is_named(name: str) -> None:
    for url in (f"postgresql://u:p@h/d?sslmode=require&{name}=x", f"host=h {name}=x"):
        fault = postgres_fault(url)
        assert fault is not None
        assert fault.startswith(f"has the parameter `{name}`, which PostgreSQL's client does not know. ")


def test_other_databases_are_checked_for_their_passwords_alone() -> None:
    assert url_fault("sqlite:////tmp/a@b.db") is None
    assert url_fault("mysql+pymysql://u:p@h/d?charset=utf8") is None
    assert "Percent-encode" in str(url_fault(f"mysql://u:a@{SECRET}@h/d"))


def test_sqlalchemys_driver_is_left_out_for_libpq() -> None:
    assert libpq_url(" postgresql+psycopg2://u:p@h/d\n") == "postgresql://u:p@h/d"
    assert libpq_url("postgres://u:p@h/d") == "postgresql://u:p@h/d"
    assert libpq_url("host=h dbname=d") == "host=h dbname=d"


def test_a_reason_is_libpqs_own_on_one_line_without_passwords() -> None:
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
def test_what_will_fail_again_is_not_waited_for_and_has_its_own_remedy(reason: str, words: str) -> None:
    assert is_lasting(reason)
    assert remedy(reason, "X").startswith(words)


@pytest.mark.parametrize(
    "reason",
    ["Connection refused", "SSL SYSCALL error: EOF detected", "SSL connection has been closed unexpectedly"],
)
def test_what_a_restart_causes_is_waited_for(reason: str) -> None:
    assert not is_lasting(reason)
