"""Settles the requests of dead processes: their traces are ended, and their reserved budgets charged.

Knows when to look. Knows nothing of how dead processes are found, or how a request is settled.
"""

import asyncio
import logging

from api.access.allowance import Allowances
from rag.ledger.failures import translated
from rag.ledger.processes import EVERY_SECONDS, purge_dead
from rag.ledger.traces import Traces


async def settle_forever(traces: Traces, allowances: Allowances) -> None:
    """Call `settle` regularly until cancelled. Every process does so. Errors are logged, and retried the next time."""
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        try:
            await asyncio.to_thread(settle, traces, allowances)
        except Exception as error:  # noqa: BLE001 - the next attempt may succeed
            logging.getLogger("groundwire").warning("what was abandoned is settled later: %s", error)


def settle(traces: Traces, allowances: Allowances) -> None:
    """Settle what dead processes left. If several processes try at once, each request is settled by one of them."""
    traces.settle_abandoned()
    allowances.settle_abandoned()
    with translated(traces.engine.url), traces.engine.begin() as connection:
        purge_dead(connection)
