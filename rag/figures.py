"""The figures of requests as people read them: counts, times, money.

Knows units and how many digits are worth showing. Knows nothing of where they are shown.
"""


def counted(count: int, noun: str) -> str:
    """`1 case`, `2,000 cases`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def milliseconds(value: float | None) -> str:
    """`0.4 ms`, `12 ms`, `1.2 s`; a dash if the value is not known."""
    if value is None:
        return "–"
    if value < 10:
        return f"{value:.1f} ms"
    return f"{value:,.0f} ms" if value < 999.5 else f"{value / 1000:,.1f} s"


def price(nanodollars: float | None, *, estimated: bool = False) -> str:
    """Dollars to three significant digits below one, to the cent above: `$0.000123`, `about $12.30`."""
    if nanodollars is None:
        return "unknown"
    amount = nanodollars / 1e9
    small = 0 < amount < 0.9995
    shown = f"{float(f'{amount:.3g}'):.9f}".rstrip("0").ljust(len("0.00"), "0") if small else f"{amount:,.2f}"
    return f"about ${shown}" if estimated else f"${shown}"


def elapsed(seconds: float, whole: float) -> str:
    """How much of a time has passed: `12 of 60 min`, `3.5 of 12 h`."""
    unit, length = next(((unit, length) for unit, length in _LONG if whole >= 2 * length), ("s", 1))
    return f"{min(seconds, whole) / length:.3g} of {whole / length:.3g} {unit}"


_LONG = (("days", 86_400), ("h", 3_600), ("min", 60))
