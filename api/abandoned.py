"""What processes that are gone have left behind: their requests are ended, and what those held is charged.

Knows when to look. Knows nothing of who is gone, nor of how anything is settled.
"""

import asyncio
import logging

from api.access.allowance import Allowances
from rag.ledger.database import told
from rag.ledger.processes import EVERY_SECONDS, forget
from rag.ledger.traces import Traces


async def settle_again(traces: Traces, allowances: Allowances) -> None:
    """`settle` until cancelled, in every process of a ledger. What fails is logged, and tried again."""
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        try:
            await asyncio.to_thread(settle, traces, allowances)
        except Exception as error:  # noqa: BLE001 - the next look may go well
            logging.getLogger("groundwire").warning("what was abandoned is settled later: %s", error)


def settle(traces: Traces, allowances: Allowances) -> None:
    """Of all processes that try, one settles each request."""
    traces.settle_abandoned()
    allowances.settle_abandoned()
    with told(traces.engine.url), traces.engine.begin() as connection:
        forget(connection)
