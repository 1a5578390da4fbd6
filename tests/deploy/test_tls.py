"""The block for TLS that is shipped as comments: uncommented, a real nginx takes it, and it does what it says."""

import shutil
from pathlib import Path

import httpx
import pytest

from tests.servers import nginx
from tests.servers.replicas import fixed_port
from tests.servers.tls import certified

pytestmark = pytest.mark.skipif(nginx.BINARY is None, reason=nginx.NEEDED)


@pytest.fixture
def uncommented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """The port of TLS, where `nginx.balanced` is then."""
    lines = nginx.TEMPLATE.read_text().splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith("# limit_req_zone"))
    end = next(number for number, line in enumerate(lines) if line.startswith("server {"))
    code = (line for line in lines[begin:end] if not line.endswith("."))
    block = [line.removeprefix("#").removeprefix(" ") for line in code]
    text = "\n".join([*lines[:begin], *block, *lines[end:]])
    tls, plain = fixed_port(), fixed_port()
    for before, after in (
        ("listen 443 ssl", f"listen 127.0.0.1:{tls} ssl"),
        ("listen 80;", f"listen 127.0.0.1:{plain};"),
        ("certificates/fullchain.pem", str(certified(tmp_path))),
        ("certificates/privkey.pem", str(tmp_path / "certificate.pem")),
    ):
        assert text.count(before) == 1
        text = text.replace(before, after)
    (tmp_path / "template.conf").write_text(text)
    monkeypatch.setattr(nginx, "TEMPLATE", tmp_path / "template.conf")
    return tls


def test_tls_with_strict_transport_security_and_a_limit(uncommented: int, tmp_path: Path) -> None:
    folder = tmp_path / "nginx"
    folder.mkdir()
    with nginx.balanced(folder, [f"127.0.0.1:{fixed_port()}"]), httpx.Client(verify=False) as client:
        answers = [client.get(f"https://127.0.0.1:{uncommented}/") for _ in range(80)]
        assert client.get(f"https://127.0.0.1:{uncommented}/metrics").status_code == 404
    assert answers[0].headers["strict-transport-security"] == "max-age=31536000"
    assert {answer.status_code for answer in answers} == {502, 429}
    shutil.rmtree(folder)
