"""What a call costs, in integer nano-dollars.

Knows the fields of litellm's price map and exact arithmetic; knows no model by name.
"""

import re
from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_EVEN, Decimal

from rag.llms.base import Usage

NANO = Decimal(10**9)
_TIER = re.compile(r"_above_(\d+)k_tokens")

Price = Mapping[str, object]
"""One model's entry: dollars per token, by field."""


def nanodollars(price: Price, usage: Usage) -> int | None:
    """The cost of these tokens; null if the entry lacks the price of some of them.

    An entry of zeros means that the price is not known: no provider is free.
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
    dollars = Decimal(0)
    for tokens, fields in kinds:
        if not tokens:
            continue
        rate = _rate(price, fields, usage.prompt)
        if rate is None:
            return None
        dollars += tokens * rate
    return int((dollars * NANO).to_integral_value(ROUND_HALF_EVEN))


def total(costs: Iterable[int | None]) -> int | None:
    """The sum of costs; null as soon as one is not known."""
    known = [*costs]
    return None if None in known else sum(cost for cost in known if cost is not None)


def _rate(price: Price, fields: tuple[str, ...], prompt: int) -> Decimal | None:
    """Dollars per token by the first field that has a price, in the tier of a prompt of so many tokens."""
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
