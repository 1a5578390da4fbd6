"""Exact to the nano-dollar, and null rather than wrong."""

import pytest

from rag.llms.base import Usage
from rag.llms.litellm import library
from rag.llms.pricing import nanodollars, total

PLAIN = {"input_cost_per_token": 4e-07, "output_cost_per_token": 1.6e-06}
CACHED = PLAIN | {"cache_read_input_token_cost": 1e-07, "cache_creation_input_token_cost": 5e-07}
TIERED = {"input_cost_per_token": 1e-06, "input_cost_per_token_above_200k_tokens": 2e-06, "output_cost_per_token": 1e-05}
TIERED |= {"output_cost_per_token_above_200k_tokens": 1.5e-05, "output_cost_per_token_above_200k_tokens_priority": 9.0}


@pytest.mark.parametrize(
    ("price", "usage", "expected"),
    [
        (PLAIN, Usage(), 0),
        (PLAIN, Usage(prompt=3, completion=2), 3 * 400 + 2 * 1600),
        (PLAIN, Usage(prompt=3, cached=2), 3 * 400),
        (CACHED, Usage(prompt=10, cached=4, cache_written=5), 400 + 4 * 100 + 5 * 500),
        (PLAIN, Usage(completion=5, reasoning=3), 5 * 1600),
        (PLAIN | {"output_cost_per_reasoning_token": 3e-06}, Usage(completion=5, reasoning=3), 2 * 1600 + 3 * 3000),
        (TIERED, Usage(prompt=200_000, completion=1), 200_000 * 1000 + 10_000),
        (TIERED, Usage(prompt=200_001, completion=1), 200_001 * 2000 + 15_000),
        ({"input_cost_per_token": 3.75e-08, "output_cost_per_token": 1e-6}, Usage(prompt=2), 75),
        ({"input_cost_per_token": 3e-07, "output_cost_per_token": 1e-6}, Usage(prompt=10**12), 3 * 10**14),
        ({"input_cost_per_token": 0.0, "output_cost_per_token": 0.0}, Usage(prompt=1), None),
        ({"input_cost_per_token": 1e-6}, Usage(prompt=1, completion=1), None),
        ({"input_cost_per_token": 1e-6}, Usage(prompt=1), 1000),
        ({}, Usage(), None),
    ],
)
def test_by_the_kind_of_token(price: dict[str, float], usage: Usage, expected: int | None) -> None:
    assert nanodollars(price, usage) == expected


@pytest.mark.parametrize("model", ["gpt-4.1-mini", "o3-mini", "claude-sonnet-4-5", "gemini/gemini-2.5-pro"])
@pytest.mark.parametrize("prompt", [1_000, 300_000])
def test_agrees_with_litellm_to_its_precision(model: str, prompt: int) -> None:
    litellm = library()
    theirs = litellm.Usage(
        prompt_tokens=prompt,
        completion_tokens=77,
        prompt_tokens_details={"cached_tokens": 300},
        completion_tokens_details={"reasoning_tokens": 33},
    )
    expected = sum(litellm.cost_per_token(model, usage_object=theirs)) * 1e9
    ours = nanodollars(litellm.model_cost[model], Usage(prompt=prompt, completion=77, cached=300, reasoning=33))
    assert ours == pytest.approx(expected, abs=1)


@pytest.mark.parametrize(("costs", "expected"), [((), 0), ((0, 5, 7), 12), ((5, None), None), ((None,), None)])
def test_a_total_is_unknown_as_soon_as_one_cost_is(costs: tuple[int | None, ...], expected: int | None) -> None:
    assert total(iter(costs)) == expected
