"""What a report says of single runs: the noise of a step, its moments, and where the numbers come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .entries import Entry
from .numbers import number
from .typeset import formula, mathml

if TYPE_CHECKING:
    from ..results import Trajectory

__all__ = ["Noise", "noise"]

_STEP = (
    r"d\, \Delta G(\lambda) = -\gamma \left(p_\lambda u^\top + u\, p_\lambda^\top\right) "
    r"+ \gamma^2 \lambda \rho\, u u^\top"
)
_WHERE = r"u = \nabla_x f(r),\quad p_\lambda = W^\top P_\lambda a,\quad \sum_\lambda p_\lambda = r"
_FIRST = r"\mathbb{E}\left[p_\lambda\, g(r)\right] = \lambda G(\lambda)\, \mathbb{E}\left[\nabla g\right]"
_SECOND = (
    r"\mathbb{E}\left[p_\lambda p_\mu^\top g(r)\right] = "
    r"\delta_{\lambda \mu} \lambda G(\lambda)\, \mathbb{E}\left[g\right] "
    r"+ \lambda \mu\, G(\lambda)\, \mathbb{E}\left[\nabla^2 g\right] G(\mu)"
)
_LYAPUNOV = r"\frac{\mathrm{d}\Sigma}{\mathrm{d}t} = J \Sigma + \Sigma J^\top + C,\quad \Sigma(0) = 0"
_STD = r"\mathrm{sd}(\varphi) = \sqrt{\nabla\varphi^\top\, \Sigma\, \nabla\varphi \,/\, d}"


@dataclass(frozen=True)
class Noise:
    """The section: formulas, and what was done."""

    entries: tuple[Entry, ...]
    notes: tuple[str, ...]


def noise(theory: Any, path: Trajectory | None) -> Noise | None:
    """Of a solution with error bars; ``None`` of others."""
    account = None if path is None else path.attrs.get("fluctuations")
    if path is None or account is None:
        return None
    entries = [
        Entry("one step", mathml(_STEP, display=True)),
        Entry("one step", mathml(_WHERE, display=True)),
        Entry("moments (Stein)", mathml(_FIRST, display=True)),
        Entry("moments (Stein)", mathml(_SECOND, display=True)),
    ]
    if account["moments"] == "formulas":
        entries += [
            Entry("moments of the gradient", formula(_left(name), value)) for name, value in theory.noise.items()
        ]
    entries += [Entry("single runs", mathml(text, display=True)) for text in (_LYAPUNOV, _STD)]
    return Noise(tuple(entries), _notes(path, account))


def _left(name: str) -> str:
    """E[d_1 d_2 (u_1 u_1)] for ``M2_12_11``."""
    _, *groups = name.split("_")
    along = groups[0] if len(groups) > 1 else ""
    partial = "".join(rf"\partial_{{{i}}}" for i in along)
    product = " ".join(f"u_{{{a}}}" for a in groups[-1])
    inside = rf"{partial}\left({product}\right)" if along else product
    return rf"\mathbb{{E}}\left[{inside}\right]"


def _notes(path: Trajectory, account: dict[str, Any]) -> tuple[str, ...]:
    last, d = float(path.risk_std.values[-1]), path.attrs["d"]
    risk, end = number(float(path.risk.values[-1])), number(float(path.time.values[-1]))
    limit = "one standard deviation, in the linear-noise limit"
    found = [
        f"A single run of dimension d = {d} has the risk {risk} ± {number(last, 2)} at t = {end} ({limit}).",
        f"Found from {account['method']}; moments of the gradient: {account['moments']}.",
    ]
    if account["error"]:
        found.append(f"Relative error of standard deviations from the points: {number(float(account['error']), 2)}.")
    if account.get("caution"):
        found.append(account["caution"])
    if path.attrs.get("finite_d") == "mean":
        found.append("Curves are shifted, at order 1/d, to the mean of single runs.")
    return tuple(found)
