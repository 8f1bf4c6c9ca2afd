"""The layout of generated code: no line too long, and the same program."""

from __future__ import annotations

import ast

import pytest

from hdsym.codegen.layout import WIDTH, docstring, filled, fitted, laid_out, wrapped

LONG = "alpha_beta_gamma_delta"


def listed(separator: str, count: int = 9, tail: str = "") -> str:
    return separator.join(f"{LONG}_{k}{tail}" for k in range(count))


STATEMENTS = [
    f"def f({listed(', ', tail=': float = 1.0')}) -> tuple[float, ...]:\n    return ()",
    f"value = f({listed(', ')})",
    f"value = 2.0 * g(f({listed(', ')}), (1,), [0])",
    f"value = ({listed(' + ', tail=' * x')})",
    f"value = ({listed(' * ')})",
    f"value = (f({listed(' - ')}),)",
    f"value = g(lambda a, b: f({listed(', ')}), x)",
    f"value = g(lambda {listed(', ')}: {listed(' + ')}, x)",
    f"value = [f({listed(', ', 4)}) for a, b in zip({LONG}, {LONG}, strict=True) if a]",
    f"value = f('a, (b', {listed(', ')})",
    f"({listed(', ')}) = values",
    f"value = np.sum(n * ({listed(' + ')}))[0]",
    f"value = (f({listed(' + ')}) * g({listed(' - ')}) / h({listed(' + ')}))",
]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_long_lines_are_broken_and_mean_the_same(statement: str) -> None:
    nested = "if x:\n    " + statement.replace("\n", "\n    ") + "\n"
    for text in (statement + "\n", nested):
        result = laid_out(text)
        assert len(text.splitlines()) < len(result.splitlines())
        assert max(map(len, result.splitlines())) <= WIDTH
        assert ast.dump(ast.parse(result)) == ast.dump(ast.parse(text))


def test_short_lines_comments_and_docstrings_stay() -> None:
    text = f'"""{LONG * 8}\n{LONG * 8}"""\n# {LONG * 8} (a, b)\nx = 1\n'
    assert laid_out(text) == text
    assert fitted("x = f(a, b)") == "x = f(a, b)"


def test_documentation_is_wrapped() -> None:
    words = " ".join([LONG] * 12)
    for text in (docstring(words), filled(words, 4), "\n".join(wrapped([words]))):
        assert max(map(len, text.splitlines())) <= WIDTH
        assert text.replace('"""', "").split() == words.split()
    assert docstring("Short.") == '"""Short."""'
