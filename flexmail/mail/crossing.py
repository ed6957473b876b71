"""Values that cross from one process to another: as JSON out, checked field by field in.

Frozen dataclasses of strings, numbers, tuples, frozen sets and each other. Never pickle: who reads
hostile bytes may have been taken over by them, and what it says is no more than a claim.
"""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Hashable
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

Value = TypeVar("Value")
_Check = Callable[[Any], Any]


def pack(value: object) -> bytes:
    """Return a value as JSON, in ASCII."""
    return _encode(value).encode("ascii")


def unpack(kind: type[Value], raw: bytes) -> Value:
    """Return the value of that kind that the bytes spell.

    Raises:
        ValueError: they spell no such value, or a field more, less or of another type.
    """
    try:
        return cast(Value, _check_of(cast(Hashable, kind))(json.loads(raw.decode("ascii"))))
    except RecursionError:
        raise ValueError("The value is nested too deep.") from None


def _plain(value: Any) -> object:
    """Return what JSON has no word for as a list: the fields or the members."""
    if isinstance(value, frozenset):
        return list(value)
    if is_dataclass(value):
        return [getattr(value, name) for name in _names(cast(Hashable, type(value)))]
    raise TypeError(f"A {type(value).__name__} cannot cross.")


_encode = json.JSONEncoder(default=_plain, separators=(",", ":")).encode


@cache
def _names(kind: Hashable) -> tuple[str, ...]:
    return tuple(field.name for field in fields(cast(Any, kind)))


@cache
def _check_of(kind: Hashable) -> _Check:
    """Return the function that rebuilds values of a kind, or raises ValueError."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind in (str, int, bool, type(None)):
        return _exactly(kind)
    if origin in (Union, types.UnionType):
        return _one_of([_check_of(argument) for argument in arguments])
    if origin is Literal:
        return _one_of([_equal_to(argument) for argument in arguments])
    if origin is frozenset or (origin is tuple and arguments[1:] == (...,)):
        return _all(origin, _check_of(arguments[0]))
    if isinstance(kind, type) and is_dataclass(kind):
        hints = get_type_hints(kind)
        return _fields(kind, [_check_of(hints[name]) for name in _names(cast(Hashable, kind))])
    raise TypeError(f"{kind} cannot cross.")


def _exactly(kind: type) -> _Check:
    def check(value: Any) -> Any:
        if type(value) is not kind:
            raise ValueError(f"A {kind.__name__} was expected.")
        return value

    return check


def _equal_to(wanted: object) -> _Check:
    def check(value: Any) -> Any:
        if type(value) is not type(wanted) or value != wanted:
            raise ValueError("Another word was expected.")
        return wanted

    return check


def _one_of(checks: list[_Check]) -> _Check:
    def check(value: Any) -> Any:
        for attempt in checks:
            try:
                return attempt(value)
            except ValueError:
                continue
        raise ValueError("None of the possible values was found.")

    return check


def _all(kind: Callable[[list[Any]], Any], check_member: _Check) -> _Check:
    def check(value: Any) -> Any:
        if type(value) is not list:
            raise ValueError("A list was expected.")
        return kind([check_member(member) for member in value])

    return check


def _fields(kind: Callable[..., Any], checks: list[_Check]) -> _Check:
    def check(value: Any) -> Any:
        if type(value) is not list or len(value) != len(checks):
            raise ValueError("Other fields were expected.")
        return kind(*[check(member) for check, member in zip(checks, value, strict=True)])

    return check
