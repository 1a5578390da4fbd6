"""A real nginx on loopback, with the configuration that is shipped in `deploy`."""

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from string import Template

from tests.servers.replicas import fixed_port

BINARY = shutil.which("nginx", path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"]))
NEEDED = "nginx is not installed"
TEMPLATE = Path(__file__).parents[2] / "deploy" / "nginx.conf"
MAIN = """
daemon off;
$user
pid $folder/nginx.pid;
error_log $folder/error.log info;
worker_processes 2;
events { worker_connections 512; }
http {
    access_log $folder/access.log;
    client_body_temp_path $folder/body;
    proxy_temp_path $folder/proxied;
    fastcgi_temp_path $folder/fastcgi;
    uwsgi_temp_path $folder/uwsgi;
    scgi_temp_path $folder/scgi;
    include $folder/groundwire.conf;
}
"""


def filled_in(listen: str, replicas: Sequence[str]) -> str:
    """The shipped configuration, as compose fills it in: `replicas` are host and port."""
    servers = " ".join(f"server {replica} max_fails=1 fail_timeout=1s;" for replica in replicas)
    return Template(TEMPLATE.read_text()).safe_substitute(GROUNDWIRE_LISTEN=listen, GROUNDWIRE_REPLICAS=servers)


@contextmanager
def balanced(folder: Path, replicas: Sequence[str]) -> Iterator[str]:
    """The URL of an nginx before these replicas, which keeps its files in `folder`."""
    assert BINARY is not None, NEEDED
    port = fixed_port()
    (folder / "groundwire.conf").write_text(filled_in(f"127.0.0.1:{port}", replicas))
    user = f"user {pwd.getpwuid(os.geteuid()).pw_name};" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(Template(MAIN).substitute(folder=folder, user=user))
    command = [BINARY, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        until = time.monotonic() + 30
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"nginx did not start: {process.communicate()[1]}")
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.communicate(timeout=30)


def _listens(port: int) -> bool:
    with socket.socket() as trying:
        return trying.connect_ex(("127.0.0.1", port)) == 0
