"""A door with TLS in front of a server on loopback that has none, and a certificate for it that nobody trusts unasked.

Knows bytes only: what goes through is the server's and its clients'.
"""

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

_HOST = "127.0.0.1"


def certified(folder: Path) -> Path:
    """A file with a certificate of 127.0.0.1, signed by itself, and its key."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, _HOST)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(_HOST))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "certificate.pem"
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(*form))
    return file


@contextmanager
def doors(certificate: Path, *ports: int) -> Iterator[list[int]]:
    """The ports of a door to each of these."""
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        servers = [runner.run(_door(certificate, port)) for port in ports]
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        try:
            yield [server.sockets[0].getsockname()[1] for server in servers]
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            for server in servers:
                server.close()
            runner.run(_ended())


async def _door(certificate: Path, port: int) -> asyncio.Server:
    async def opened(client: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        server, questions = await asyncio.open_connection(_HOST, port)
        await asyncio.gather(_passed(client, questions), _passed(server, answers))

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.set_alpn_protocols(["h2", "http/1.1"])
    return await asyncio.start_server(opened, _HOST, 0, ssl=context, ssl_shutdown_timeout=1)


async def _ended() -> None:
    """Wait until whatever goes through has been told that its client is gone."""
    if passing := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(passing, timeout=5)


async def _passed(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while some := await source.read(65_536):
            target.write(some)
            await target.drain()
    target.close()
    with contextlib.suppress(OSError):
        await target.wait_closed()
