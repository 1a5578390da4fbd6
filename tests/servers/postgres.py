"""A PostgreSQL of the tests' own: a throw-away cluster of the binaries that are installed, on a socket in a folder."""

import os
import pwd
import shutil
import signal
import subprocess
import time
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

import psycopg
from sqlalchemy import make_url

from rag.ledger.database import connect

NEEDED = "PostgreSQL is not installed (no initdb on the PATH, by pg_config, or in /usr/lib/postgresql)"

ENDING = 'exec 3<&0; "$@" & server=$!; { cat <&3 >/dev/null; kill -INT $server 2>/dev/null; } & wait $server'
"""Ends the server when this pipe closes: at the latest when the test process is gone, however it went."""

PASSWORD = "a-password-of-the-tests"


def binaries() -> Path | None:
    """The folder of `initdb` and `postgres`: of the PATH, as pg_config tells, or where Debian keeps the newest."""
    folders = [Path(found).parent for found in [shutil.which("initdb")] if found]
    if config := shutil.which("pg_config"):
        folders.append(Path(subprocess.run([config, "--bindir"], capture_output=True, text=True, check=True).stdout.strip()))
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: -float(folder.parent.name))
    return next((folder for folder in folders if (folder / "initdb").exists() and (folder / "postgres").exists()), None)


def _unprivileged() -> int | None:
    """Whom to run it as: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return None
    users = {user.pw_name: user.pw_uid for user in pwd.getpwall()}
    return users.get("postgres", users["nobody"])


class Postgres:
    """A cluster that forgets when the machine stops. Its databases order text by a language, as people's do.

    The role `guarded` has a password, and may do nothing.
    """

    def __init__(self, *settings: str) -> None:
        """`settings` as in `max_connections=20`."""
        bin = binaries()
        if bin is None:
            raise RuntimeError(NEEDED)
        self._bin, self._settings, self._user = bin, settings, _unprivileged()
        # A new database is three hundred files: ten times as fast in memory.
        memory = Path("/dev/shm")
        self._kept = TemporaryDirectory(prefix="pg-", dir=memory if memory.is_dir() else None)
        self.folder = Path(self._kept.name)
        self.folder.chmod(0o755)
        if self._user is not None:
            os.chown(self.folder, self._user, -1)
        self._numbers = count()
        self._migrated = False
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        locale = ["--encoding=UTF8", "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US"]
        command = [str(self._bin / "initdb"), "-D", str(self.folder / "data"), "-U", "groundwire", "--auth=trust", "--no-sync"]
        subprocess.run([*command, *locale], check=True, capture_output=True, user=self._user, cwd=self.folder)
        access = self.folder / "data" / "pg_hba.conf"
        access.write_text(f"local all guarded scram-sha-256\n{access.read_text()}")
        self.start()
        self.run(f"CREATE ROLE guarded LOGIN PASSWORD '{PASSWORD}'")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
        self._kept.cleanup()

    def url(self, database: str, user: str = "groundwire") -> str:
        return f"postgresql://{user}@/{database}?host={self.folder}"

    def empty(self) -> str:
        """The URL of a database without tables."""
        return self._database("template1")

    def ledger(self) -> str:
        """The URL of an empty ledger, copied from one that was migrated once."""
        if not self._migrated:
            self.run("CREATE DATABASE migrated")
            connect(self.url("migrated")).dispose()
            self._migrated = True
        return self._database("migrated")

    def drop(self, url: str) -> None:
        """Remove the database, whoever is connected."""
        self.run(f"DROP DATABASE {make_url(url).database} WITH (FORCE)")

    def run(self, command: str) -> None:
        """As its owner, outside of any ledger."""
        with psycopg.connect(self.url("template1"), autocommit=True) as connection:
            connection.execute(command.encode())

    def start(self) -> None:
        """As it was stopped."""
        # The suite needs no durability; that of PostgreSQL is not what it proves.
        quick = ["fsync=off", "full_page_writes=off", "wal_level=minimal", "max_wal_senders=0", "max_wal_size=64MB"]
        places = ["listen_addresses=", f"unix_socket_directories={self.folder}", "max_connections=200", "shared_buffers=64MB"]
        options = [part for setting in (*quick, *places, *self._settings) for part in ("-c", setting)]
        command = ["sh", "-c", ENDING, "sh", str(self._bin / "postgres"), "-D", str(self.folder / "data"), *options]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, user=self._user, cwd=self.folder
            )
        until = time.monotonic() + 60
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"PostgreSQL did not start: {(self.folder / 'log').read_text()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """All connections end, what is under way is taken back."""
        if self._process and self._process.stdin:
            self._process.stdin.close()
            self._process.wait(60)
            self._process = None

    def crash(self) -> None:
        """Everything ends at once, nothing is written."""
        os.kill(int((self.folder / "data" / "postmaster.pid").read_text().split()[0]), signal.SIGQUIT)
        self.stop()

    def _ready(self) -> bool:
        try:
            psycopg.connect(self.url("template1")).close()
        except psycopg.OperationalError:
            return False
        return True

    def _database(self, template: str) -> str:
        name = f"test_{next(self._numbers)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        return self.url(name)
