"""Statistics that a model declares: names, and functions whose means are followed along with the risk."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from . import modelcheck
from .cas import Expr
from .errors import DeclarationError
from .roles import check_name
from .userfunction import sources

if TYPE_CHECKING:
    from .model import Model

__all__ = ["RESERVED", "Declared", "check_known", "described", "joined", "read", "summary", "written"]

Declared = tuple[tuple[str, Expr], ...]
"""Pairs (name, function g of the model's symbols)."""

_WORDS = """
    aligned_distance col cosine cosines distance diverged eigenvalue excess_risk fisher form forms gradient gram grams
    learning_rate mean means mode norm overlaps quantile risk row run specialisation student teacher teacher_norm theta
    time trained
"""
RESERVED = frozenset(_WORDS.split())
"""Names of what derivations and results hold anyway."""


def read(given: Mapping[str, Any] | Declared) -> Declared:
    """The declared statistics, functions in canonical form.

    Raises
    ------
    DeclarationError
        For a name that is no identifier or that results use themselves, or a function that is no expression.
    """
    try:
        pairs = tuple(dict(given).items())
    except (TypeError, ValueError):
        raise DeclarationError(
            f"statistics is {given!r}", remedy='give names and expressions: statistics={"accuracy": ...}'
        ) from None
    for name, _ in pairs:
        check_name(name)
        if name in RESERVED or re.fullmatch(r"[HI]\d+(_\d+)?", name):
            raise DeclarationError(
                f"a statistic is called {name!r}, a name that derivations and results use", remedy="give it another"
            )
    return tuple((name, modelcheck.expression(g, f"statistic {name!r}")) for name, g in pairs)


def joined(present: Declared, further: Mapping[str, Any]) -> dict[str, Any]:
    """All statistics by name. Raises :class:`DeclarationError` if one is there already."""
    twice = sorted(set(dict(present)) & set(further))
    if twice:
        raise DeclarationError(
            f"the model declares a statistic {twice[0]!r} already", remedy="give the new one another name"
        )
    return {**dict(present), **further}


def described(model: Model) -> dict[str, dict[str, str]]:
    """The statistics as results store them: nothing if there are none."""
    found = {name: str(g) for name, g in model.declared_statistics}
    return {"statistics": found} if found else {}


def summary(model: Model) -> str:
    """Loss, label and noise on one line."""
    said = [f"loss {model.loss}"]
    if model.sampled:
        said.append(f"{model.label} ~ {_law(model.link, model.link_expressions)}")
    elif model.link is not None:
        said.append(f"{model.label} = {model.link}")
    if model.noise is not None:
        said.append(f"{model.noise_symbol} ~ {_law(model.noise, model.noise.constants)}")
    return ", ".join([*said, *([model.constraint] if model.constraint else [])])


def _law(law: Any, constants: tuple[Expr, ...]) -> str:
    return f"{type(law).__name__}({', '.join(map(str, constants))})"


def written(model: Model) -> str:
    """The declaration as text, without name and references; symbols by name and role."""
    statistics = dict(model.declared_statistics)
    symbols = (model.students, model.teachers, model.parameters, model.trained)
    code = sources(model.loss, *statistics.values())
    parts = (model.loss, model.link, model.noise, model.constraint, statistics, symbols, code)
    return "\n".join(str(part) for part in parts)


def check_known(name: str, model: Model) -> None:
    """Raise :class:`DeclarationError` for a statistic that `model` does not declare."""
    known = [declared for declared, _ in model.declared_statistics]
    if name not in known:
        listing = f"it declares: {', '.join(known)}" if known else "it declares none"
        raise DeclarationError(
            f"{model.name} declares no statistic {name!r}",
            remedy=f"{listing}; add one with model.with_statistics({name}=...) and derive again",
        )
