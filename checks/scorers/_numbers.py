"""Are two numbers close enough? Decimal arithmetic, so that 0.4 is within 0.1 of 0.3, and bounded in time."""

from __future__ import annotations

from decimal import Context, Decimal, InvalidOperation

_EXACT = Context(prec=60, traps=[])


def decimal_of(text: str) -> Decimal | None:
    """The finite number that a text writes in plain notation, else None.

    >>> decimal_of("1e3"), decimal_of("nan"), decimal_of("three")
    (Decimal('1E+3'), None, None)
    """
    try:
        number = Decimal(text)
    except (InvalidOperation, ValueError):
        return None
    return number if number.is_finite() else None


def percent_of(number: Decimal) -> Decimal:
    """A hundredth of the number."""
    return _EXACT.scaleb(number, Decimal(-2))


def within(number: Decimal, target: Decimal, *, abs_tol: float, rel_tol: float) -> bool:
    """True if ``|number - target| <= max(abs_tol, rel_tol * |target|)``.

    >>> within(Decimal("0.4"), Decimal("0.3"), abs_tol=0.1, rel_tol=0)
    True
    """
    if number == target:
        return True
    difference = _EXACT.abs(_EXACT.subtract(number, target))
    relative = _EXACT.multiply(Decimal(repr(rel_tol)), _EXACT.abs(target))
    return difference.is_finite() and difference <= max(Decimal(repr(abs_tol)), relative)
