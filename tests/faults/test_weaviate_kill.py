"""kill -9 of our own process while it writes into Weaviate: what it leaves is never opened, and swept by the next."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from rag.ingest.ingest import ingest, rebuild
from rag.runtime import Runtime
from rag.stores.weaviate.address import Address
from rag.stores.weaviate.cluster import Cluster
from tests.faults.numbered import filled, rows, settings, whole
from tests.faults.test_weaviate_damage import kept
from tests.installations import own

FEW, MORE = 60, 1_000

pytestmark = pytest.mark.timeout(240)

INGEST = """
import sys, time
from pathlib import Path
from rag.ingest.ingest import ingest
from rag.progress import Stage
from rag.runtime import Runtime
from tests.faults.numbered import settings
folder, place, rows = sys.argv[1:]
def stop(stage, done, total):
    if stage is Stage.INDEX and done > total / 2:
        print("half", flush=True)
        time.sleep(600)
with Runtime(settings(Path(folder), place)) as runtime:
    ingest([rows], "rows", runtime, progress=stop)
"""
COPY = """
import sys, time
from pathlib import Path
from rag.runtime import Runtime
from rag.stores import open_store
from rag.stores.copying import copy
from tests.faults.numbered import settings
folder, place, _ = sys.argv[1:]
def stop(done, total):
    if done > total / 2:
        print("half", flush=True)
        time.sleep(600)
with Runtime(settings(Path(folder), None)) as runtime:
    copy(runtime.store.open("rows", runtime.corpus.collection("rows").generation), open_store(place), stop)
"""


@pytest.fixture
def place(weaviate: str) -> Iterator[str]:
    with own(weaviate) as place:
        yield place


def killed_halfway(program: str, folder: Path, place: str, path: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", program, str(folder), place, path], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"half\n"
        process.kill()


def there(place: str) -> list[str]:
    """The classes of the collection in Weaviate, sealed or not."""
    with closing(Cluster(Address.parse(place))) as cluster:
        return cluster.call(lambda client: kept(client, place))


def test_a_killed_build_is_never_opened_and_is_swept(place: str, tmp_path: Path) -> None:
    shop = filled(tmp_path, place, count=FEW)
    more = rows(tmp_path, MORE)
    killed_halfway(INGEST, tmp_path, place, more)
    assert len(there(place)) == 2
    with Runtime(shop) as runtime:
        assert len(list(runtime.store.generations("rows"))) == 1
        whole(runtime, FEW)
        ingest([more], "rows", runtime)
        assert len(there(place)) == len(list(runtime.store.generations("rows"))) == 2
        whole(runtime, MORE)


def test_a_killed_copy_is_never_opened_and_is_swept(place: str, tmp_path: Path) -> None:
    here = filled(tmp_path, str(tmp_path / "home" / "index"), count=MORE)
    killed_halfway(COPY, tmp_path, place, "")
    assert len(there(place)) == 1
    with Runtime(settings(tmp_path, place)) as runtime:
        assert list(runtime.store.generations("rows")) == []
        generation = rebuild("rows", runtime)
        assert list(runtime.store.generations("rows")) == [generation]
        assert len(there(place)) == 1
        whole(runtime, MORE)
    with Runtime(here) as runtime:
        assert len(list(runtime.store.generations("rows"))) == 1
