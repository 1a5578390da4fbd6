"""What each key has spent today.

Knows the tables that hold it. Knows no budget.
"""

import time
from collections.abc import Iterable

from sqlalchemy import Engine, func, select

from api.access.account import day_of
from api.access.keys import Key
from rag.ledger.failures import translated
from rag.ledger.schema import allowances, traces


def spent_today(engine: Engine, keys: Iterable[Key]) -> dict[str, int]:
    """Nano-dollars of this UTC day by the id of the key: what its budget was charged, or without a budget the cost of its traces.

    A request of unknown cost charges a budget the most that it may have cost, but adds nothing to the cost of traces.
    """
    today = day_of(time.time())
    charged = select(allowances.c.key_id, allowances.c.spent_nanodollars).where(allowances.c.day == today)
    cost = select(traces.c.key_id, func.sum(traces.c.cost_nanodollars)).where(
        traces.c.created_at >= today, traces.c.shadow_of.is_(None)
    )
    with translated(engine.url), engine.connect() as connection:
        budgeted = {key: nanodollars for key, nanodollars in connection.execute(charged)}  # noqa: C416 - rows, not pairs
        traced = {key: int(nanodollars or 0) for key, nanodollars in connection.execute(cost.group_by(traces.c.key_id))}
    return {key.id: (traced if key.daily_nanodollars is None else budgeted).get(key.id, 0) for key in keys}
