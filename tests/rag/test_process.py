"""Processes are told apart by more than their numbers."""

import os
import subprocess
import sys

import pytest

from rag.process import HOST, OWNER, ended


def test_who_ended_here_is_told_from_who_lives_and_from_who_is_elsewhere() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    assert ended(f"{HOST}:{process.pid}:x")
    assert ended(f"{HOST}:{os.getpid()}:an-earlier-one")
    assert not ended(f"{HOST}:{os.getppid()}:x")
    assert not ended(OWNER)


@pytest.mark.parametrize("host", [HOST.rpartition(".")[0], f"{HOST.rpartition('.')[0]}.00000000", "another"])
def test_names_are_no_proof_of_a_host(host: str) -> None:
    assert not ended(f"{host}:4194304:x")
