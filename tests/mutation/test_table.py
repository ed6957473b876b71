"""The table of mutants holds: every entry fits the code, and every refusal has an entry."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import pytest

from tests.mutation.mutant import ROOT
from tests.mutation.table import GUARDED, MUTANTS

_REFUSALS = ("Refusal(", "refused(", "Outcome(", "Authentication(False", "Decision(None")
_NOTHINGS = ("None", "False", "Reading(None", "OwnLines()", "''", '""')


@dataclass(frozen=True)
class Operand:
    """One condition in the code, with the bytes of the file from `begin` to `end`."""

    function: str
    text: str
    begin: int
    end: int


def text_of(file: str) -> str:
    return (ROOT / file).read_text(encoding="utf-8")


def operands(file: str) -> list[Operand]:
    """Return what is looked at before a guarded function refuses, and before a predicate says so.

    Both sides of `and` and `or` count by themselves.
    """
    text = text_of(file)
    starts = [0]
    for line in text.encode().splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found = []
    wanted = set(GUARDED[file])
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and node.name in wanted:
            wanted.remove(node.name)
            for part in conditions(node):
                begin = starts[part.lineno - 1] + part.col_offset
                end = starts[(part.end_lineno or 0) - 1] + (part.end_col_offset or 0)
                shown = ast.get_source_segment(text, part) or ""
                found.append(Operand(node.name, shown, begin, end))
    assert not wanted, f"{file} has no {wanted}"
    return found


def conditions(function: ast.FunctionDef) -> Iterator[ast.expr]:
    returned = ast.unparse(function.returns) if function.returns else ""
    for node in ast.walk(function):
        if isinstance(node, ast.If) and any(refuses(part, returned) for part in node.body):
            yield from sides(node.test)
        elif (
            returned == "bool"
            and isinstance(node, ast.Return)
            and isinstance(node.value, ast.BoolOp)
        ):
            yield from sides(node.value)


def refuses(statement: ast.stmt, returned: str) -> bool:
    """Tell whether a statement says no; a function that returns text says why."""
    if isinstance(statement, ast.Raise):
        return True
    if isinstance(statement, ast.Return | ast.Assign) and statement.value:
        said = ast.unparse(statement.value)
        if said.startswith("replace(") and "verdict=None" in said:
            return True
    if not isinstance(statement, ast.Return):
        return False
    said = ast.unparse(statement.value) if statement.value else "None"
    if returned == "str" and said not in _NOTHINGS:
        return True
    return said in _NOTHINGS or said.startswith((*_REFUSALS, *_NOTHINGS[2:4]))


def sides(test: ast.expr) -> Iterator[ast.expr]:
    if isinstance(test, ast.BoolOp):
        for value in test.values:
            yield from sides(value)
    else:
        yield test


def changed(file: str) -> list[tuple[int, int]]:
    """Return from which byte to which each entry of a file changes it."""
    text = text_of(file)
    spans = [mutant.span(text) for mutant in MUTANTS if mutant.file == file]
    return [(len(text[:begin].encode()), len(text[:end].encode())) for begin, end in spans]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.condition)
def test_each_entry_fits_the_code_at_one_place(mutant: object) -> None:
    entry = next(entry for entry in MUTANTS if entry is mutant)
    mutated = entry.applied(text_of(entry.file))
    ast.parse(mutated)
    assert bool(entry.tests) != bool(entry.redundant)


def test_each_condition_has_a_name_of_its_own() -> None:
    names = sorted((mutant.file, mutant.condition) for mutant in MUTANTS)
    assert [one for one, other in pairwise(names) if one == other] == []


@pytest.mark.parametrize("file", GUARDED)
def test_every_refusal_has_an_entry(file: str) -> None:
    looked_at = operands(file)
    assert looked_at
    missing = [
        f"{operand.function}: {operand.text}"
        for operand in looked_at
        if not any(
            begin < operand.end and operand.begin < end and one_only(begin, end, looked_at)
            for begin, end in changed(file)
        )
    ]
    assert not missing


def one_only(begin: int, end: int, looked_at: list[Operand]) -> bool:
    """Tell whether a change touches one condition and no second one."""
    return sum(begin < operand.end and operand.begin < end for operand in looked_at) == 1


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.condition)
def test_the_tests_of_each_entry_are_there(mutant: object) -> None:
    entry = next(entry for entry in MUTANTS if entry is mutant)
    for test in entry.tests:
        file, _, name = test.partition("::")
        assert f"def {name.partition('[')[0]}(" in text_of(file)
