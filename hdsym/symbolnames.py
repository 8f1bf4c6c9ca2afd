"""How the names of symbols look in LaTeX: B11 has an index, noise_std is upright, eps is Greek."""

from __future__ import annotations

import re

__all__ = ["name_latex"]

_GREEK = [
    "alpha",
    "beta",
    "gamma",
    "delta",
    "epsilon",
    "zeta",
    "eta",
    "theta",
    "iota",
    "kappa",
    "lambda",
    "mu",
    "nu",
    "xi",
    "pi",
    "rho",
    "sigma",
    "tau",
    "upsilon",
    "phi",
    "chi",
    "psi",
    "omega",
]
_CAPITALS = ["Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Upsilon", "Phi", "Psi", "Omega"]
_NAMES = {
    **{name: rf"\{name}" for name in (*_GREEK, *_CAPITALS)},
    "eps": r"\varepsilon",
    "lam": r"\lambda",
    "batch": "b",
}


def name_latex(name: str) -> str:
    """LaTeX of a symbol's name: B11 has an index, noise_std an upright base and an upright index, eps is Greek."""
    base, *rest = [piece for piece in name.split("_") if piece] or [name]
    match = re.fullmatch(r"(.*?\D)(\d+)", base)
    if match:
        base, rest = match[1], [match[2], *rest]
    return _word(base) + (rf"_{{{','.join(map(_word, rest))}}}" if rest else "")


def _word(piece: str) -> str:
    if piece in _NAMES:
        return _NAMES[piece]
    if piece.isdigit() or (len(piece) == 1 and piece != "_"):
        return piece
    escaped = piece.replace("_", r"\_")
    return rf"\mathrm{{{escaped}}}"
