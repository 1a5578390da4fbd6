"""What keys spent today.

Knows where that is written down. Knows nothing of who may spend more.
"""

import time
from collections.abc import Iterable

from sqlalchemy import Engine, func, select

from api.access.account import day_of
from api.access.keys import Key
from rag.ledger.database import told
from rag.ledger.schema import allowances, traces


def spent_today(engine: Engine, keys: Iterable[Key]) -> dict[str, int]:
    """Nano-dollars by the id of the key, on this day of UTC: what counts against its budget; without one, what its traces cost.

    A budget is charged the most that a request may cost where nobody knows what it did; a trace whose cost is not known adds nothing.
    """
    today = day_of(time.time())
    charged = select(allowances.c.key_id, allowances.c.spent_nanodollars).where(allowances.c.day == today)
    cost = select(traces.c.key_id, func.sum(traces.c.cost_nanodollars)).where(
        traces.c.created_at >= today, traces.c.shadow_of.is_(None)
    )
    with told(engine.url), engine.connect() as connection:
        budgeted = {key: nanodollars for key, nanodollars in connection.execute(charged)}  # noqa: C416 - rows, not pairs
        traced = {key: int(nanodollars or 0) for key, nanodollars in connection.execute(cost.group_by(traces.c.key_id))}
    return {key.id: (traced if key.daily_nanodollars is None else budgeted).get(key.id, 0) for key in keys}
