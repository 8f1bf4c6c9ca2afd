"""A model as the table ``[model]`` of a model file, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..cas import Expr, to_expr
from ..errors import DeclarationError
from ..families import Family
from ..forms import covariance
from ..labels import Bernoulli, Poisson
from ..laws import NoiseLaw
from ..model import Model
from ..modelfile.declare import LAWS, read_model
from ..modelfile.names import read_names
from ..modelfile.table import Table
from ..parse_pieces import STATISTICS
from ..roles import Parameter
from .trees import written

__all__ = ["model_of", "model_table"]

WHERE = "the description of the model"


def model_table(model: Model) -> dict[str, Any]:
    """The table of a model. Raises :class:`HdsymError` for what no text can hold; the message names it."""
    table: dict[str, Any] = {
        "name": model.name,
        "sizes": [size.name for size in model.sizes],
        "symbols": _symbols(model),
        "parameters": {member.name: _parameter(member) for member in model.parameters},
        "trained": {member.name: _valued(member) for member in model.trained},
    }
    table = {key: value for key, value in table.items() if value not in ({}, [])}
    names, _, _ = read_names(Table(table, "model", WHERE))
    told: dict[str, Any] = {"name": model.name, "loss": written(model.loss, names)}
    if model.link is not None:
        told["link"] = _link(model.link, names)
    told |= {"references": list(model.references), "constraint": model.constraint, **table}
    if model.noise is not None:
        told["noise"] = _noise(model.noise, names)
    known = {str(covariance): covariance, **names}
    told["statistics"] = {name: written(g, known, STATISTICS) for name, g in model.declared_statistics}
    groups = {name: [symbol.name for symbol in symbols] for name, symbols in model._groups.items()}
    told = {key: value for key, value in told.items() if value not in ({}, [], None)}
    return told | ({"groups": groups} if groups else {})


def model_of(table: Mapping[str, Any]) -> Model:
    """The model of a table; raises :class:`HdsymError` if it is none."""
    groups = dict(table.get("groups", {}))
    model = read_model(Table({key: value for key, value in table.items() if key != "groups"}, "model", WHERE))
    symbols = {symbol.name: symbol for symbol in (*model.parameters, *model.trained)}
    for name, members in groups.items():
        unknown = [member for member in members if member not in symbols]
        if unknown:
            raise DeclarationError(f"{WHERE} groups {unknown[0]!r}, which is no parameter", remedy="correct the file")
        model._groups[name] = tuple(symbols[member] for member in members)
    return model


def _symbols(model: Model) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for role, members in (("student", model.students), ("teacher", model.teachers)):
        if members:
            found[role] = _members(members)
    for role, symbol in (("label", model.label), ("noise", model.noise_symbol)):
        if symbol is not None:
            found[role] = symbol.name
    return found


def _members(members: Sequence[Any]) -> Any:
    told = [{"name": m.name, "size": _size(m)} if isinstance(m, Family) else m.name for m in members]
    return told[0] if len(told) == 1 else told


def _size(family: Family) -> int | str:
    return int(family.size) if family.explicit else str(family.size)


def _valued(member: Any) -> dict[str, Any]:
    """What parameters and trained scalars have: a default, and a size if they are families."""
    size = {"size": _size(member)} if isinstance(member, Family) else {}
    return {**({} if member.default is None else {"default": float(member.default)}), **size}


def _parameter(member: Any) -> dict[str, Any]:
    symbol: Parameter = member.args[0] if isinstance(member, Family) else member
    flags = {name: True for name in ("positive", "nonnegative") if symbol._assumptions_orig.get(name)}
    return {**_valued(member), **flags}


def _link(link: Any, names: Mapping[str, Expr]) -> Any:
    if isinstance(link, Bernoulli):
        return {"bernoulli": written(link.probability, names)}
    if isinstance(link, Poisson):
        return {"poisson": written(link.rate, names)}
    if hasattr(link, "values"):
        told = {key: [written(entry, names) for entry in getattr(link, key)] for key in ("values", "probabilities")}
        return dict(told)
    return written(link, names)


def _noise(law: NoiseLaw, names: Mapping[str, Expr]) -> dict[str, Any]:
    (key, wanted, optional), *_ = ((k, w, o) for k, (kind, w, o) in LAWS.items() if kind is type(law))
    told: dict[str, Any] = {"law": key}
    for name in (*wanted, *optional):
        told[name] = number_or_text(getattr(law, name), names)
    for name in ("values", "probabilities") if key == "discrete" else ():
        told[name] = [number_or_text(entry, names) for entry in getattr(law, name)]
    return told


def number_or_text(expr: Expr, names: Mapping[str, Expr]) -> Any:
    """A number where it is one that a float names, else the expression."""
    if expr.is_Integer and abs(int(expr)) < 2**53:
        return int(expr)
    if expr.is_Rational and to_expr(float(expr)) == expr:
        return float(expr)
    return written(expr, names)
