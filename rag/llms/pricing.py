"""What a call costs, in integer nano-dollars.

Knows the fields of litellm's price map and exact arithmetic; knows no model by name.
"""

import re
from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal

from rag.llms.base import Usage

NANO = Decimal(10**9)
_TIER = re.compile(r"_above_(\d+)k_tokens")

Price = Mapping[str, object]
"""One entry of the map: dollars a token by field."""


def nanodollars(price: Price, usage: Usage) -> int | None:
    """The cost of these tokens, or None where the map does not say what some of them cost.

    An entry of zeros is how the map says that it does not know: nothing remote is free.
    """
    if not (price.get("input_cost_per_token") or price.get("output_cost_per_token")):
        return None
    kinds = (
        (usage.prompt - usage.cached - usage.cache_written, ("input_cost_per_token",)),
        (usage.cached, ("cache_read_input_token_cost", "input_cost_per_token_cache_hit", "input_cost_per_token")),
        (usage.cache_written, ("cache_creation_input_token_cost", "input_cost_per_token")),
        (usage.completion - usage.reasoning, ("output_cost_per_token",)),
        (usage.reasoning, ("output_cost_per_reasoning_token", "output_cost_per_token")),
    )
    total = Decimal(0)
    for tokens, fields in kinds:
        if not tokens:
            continue
        rate = _rate(price, fields, usage.prompt)
        if rate is None:
            return None
        total += tokens * rate
    return int((total * NANO).to_integral_value(ROUND_HALF_EVEN))


def _rate(price: Price, fields: tuple[str, ...], prompt: int) -> Decimal | None:
    """Dollars a token by the first field that has a price, in the tier that a prompt of this length falls into."""
    for field in fields:
        base = price.get(field)
        if base is None:
            continue
        tiers = {
            int(found[1]) * 1000: value
            for name, value in price.items()
            if value is not None and name.startswith(field) and (found := _TIER.fullmatch(name, len(field)))
        }
        reached = max((threshold for threshold in tiers if prompt > threshold), default=None)
        return Decimal(str(base if reached is None else tiers[reached]))
    return None
