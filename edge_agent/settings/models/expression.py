"""Texts with ``{arithmetic}`` in them, as device models are written: ``{base+207}``, ``{15*channel-14}``, ``{gas_unit}``. Pure.

Between the braces stand names of parameters, decimal numbers, ``+ - * /`` and parentheses, or one name of a text. There is nothing
else, so a model can be read by anybody and can do nothing. Arithmetic is decimal: an address stays whole, a scale stays as written.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Context, Decimal, DecimalException, localcontext
from functools import lru_cache
from typing import Final, TypeAlias

Value: TypeAlias = str | Decimal

LENGTH_MAX: Final = 120
_BRACES: Final = re.compile(r"\{([^{}]*)\}")
_OPERATIONS: Final[Mapping[type[ast.operator], Callable[[Decimal, Decimal], Decimal]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_ARITHMETIC: Final = Context(prec=17, Emax=99, Emin=-99)
"""17 digits tell any two floats apart; more would only be noise in a cell."""
_REMEDY: Final = "Write numbers, names of parameters, + - * / and parentheses between the braces"


class ExpressionError(ValueError):
    """A text that cannot be filled, in words for who wrote the model."""


def names_in(text: str) -> set[str]:
    """Every parameter that a text names. Raises ExpressionError where it is no such text."""
    return {node.id for part in _parts(text) for node in ast.walk(_parse(part)) if isinstance(node, ast.Name)}


def fill(text: str, values: Mapping[str, Value]) -> str:
    """The text with all braces worked out. Raises ExpressionError."""
    return _BRACES.sub(lambda found: written(_evaluate(_parse(found[1]), values, found[1])), _checked(text))


def written(value: Value) -> str:
    """A number as cells have it: no exponent, no zeros at its end, no minus before 0."""
    if isinstance(value, str):
        return value
    text = f"{value:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in {"-0", ""} else text


def _checked(text: str) -> str:
    if len(text) > LENGTH_MAX:
        raise ExpressionError(f"the text is longer than {LENGTH_MAX} characters")
    if set("{}") & set(_BRACES.sub("", text)):
        raise ExpressionError(f"{text!r} has a brace without its partner")
    return text


def _parts(text: str) -> Iterator[str]:
    yield from _BRACES.findall(_checked(text))


@lru_cache(maxsize=4096)  # a model that is used hundreds of times says the same each time
def _parse(part: str) -> ast.expr:
    try:
        tree = ast.parse(part.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ExpressionError(f"{{{part}}} cannot be read. {_REMEDY}") from error
    for node in ast.walk(tree):
        if not _is_known(node):
            raise ExpressionError(f"{{{part}}} is more than arithmetic. {_REMEDY}")
    return tree


def _is_known(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, (int, float)) and not isinstance(node.value, bool) and math.isfinite(node.value)
    known = (ast.Name, ast.Load, ast.BinOp, ast.UnaryOp, ast.USub, *_OPERATIONS)
    return isinstance(node, known)


def _evaluate(node: ast.expr, values: Mapping[str, Value], part: str) -> Value:
    if isinstance(node, ast.Name):
        if node.id not in values:
            raise ExpressionError(f"{{{part}}}: there is no parameter {node.id}")
        return values[node.id]
    if isinstance(node, ast.Constant):
        return Decimal(str(node.value))
    with localcontext(_ARITHMETIC):
        try:
            if isinstance(node, ast.UnaryOp):
                return -_number(node.operand, values, part)
            assert isinstance(node, ast.BinOp)
            left, right = _number(node.left, values, part), _number(node.right, values, part)
            return _OPERATIONS[type(node.op)](left, right)
        except DecimalException as error:
            raise ExpressionError(f"{{{part}}} has no result") from error


def _number(node: ast.expr, values: Mapping[str, Value], part: str) -> Decimal:
    value = _evaluate(node, values, part)
    if isinstance(value, str):
        raise ExpressionError(f"{{{part}}}: {value!r} is no number")
    return value
