"""hdsym: the high-dimensional limit of one-pass SGD, derived symbolically, for any model.

Declare a loss and a link; :func:`derive` finds the risk h(B), its gradient, the Fisher matrix and the ODEs for the
overlaps; ``theory.solve`` integrates them, :func:`simulate` runs SGD itself, :func:`compare` judges the two.

The names below are loaded at first use (PEP 562), so that ``import hdsym`` costs next to nothing.
"""

from __future__ import annotations

import sys
import time
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the same names for type checkers and editors
    from . import functions, parse, quantities, schedules, spectrum, start, statistics, zoo
    from .adaptive import AdaGradNorm, AdaptiveRate, LineSearch, Polyak, RMSpropNorm
    from .compare import Verdict, compare
    from .contour import Ellipse
    from .derive import Derivation, derive
    from .dimensions import compare_dimensions
    from .errors import HdsymError
    from .expectation import expect
    from .exploring import explore
    from .forms import covariance, mean, overlap, resolvent
    from .functions import log_ndtr, logsumexp, relu, sigmoid, softplus
    from .hermite import InformationExponent, hermite_coefficients, information_exponent
    from .labels import Bernoulli, Categorical, Poisson
    from .laws import Discrete, Laplace, Normal, Rademacher, StudentT, Uniform
    from .model import Model
    from .problem import Problem
    from .reproduce import rerun
    from .results import Ensemble, Trajectory, load
    from .scaling import DimensionScaling
    from .schedule import LearningRate
    from .scheduling.optimal import optimal_schedule
    from .simulation import simulate
    from .spectrum import Spectrum
    from .stability.map import stability_map
    from .sweep import sweep
    from .symbols import Trained, label, noise, parameter, size, student, t, teacher
    from .userfunction import function

__version__ = "0.1.0"

_IMPORTED = time.time()
"""Files of hdsym that are younger than this are not what runs; see :mod:`hdsym.diskcache.identity`."""

_MODULES = ("functions", "parse", "quantities", "schedules", "spectrum", "start", "statistics", "zoo")

_NAMES = {
    "AdaGradNorm": "adaptive",
    "AdaptiveRate": "adaptive",
    "Bernoulli": "labels",
    "Categorical": "labels",
    "Derivation": "derive",
    "DimensionScaling": "scaling",
    "Discrete": "laws",
    "Ellipse": "contour",
    "Ensemble": "results",
    "HdsymError": "errors",
    "InformationExponent": "hermite",
    "Laplace": "laws",
    "LearningRate": "schedule",
    "LineSearch": "adaptive",
    "Model": "model",
    "Normal": "laws",
    "Poisson": "labels",
    "Polyak": "adaptive",
    "Problem": "problem",
    "RMSpropNorm": "adaptive",
    "Rademacher": "laws",
    "Spectrum": "spectrum",
    "StudentT": "laws",
    "Trained": "symbols",
    "Trajectory": "results",
    "Uniform": "laws",
    "Verdict": "compare",
    "compare": "compare",
    "compare_dimensions": "dimensions",
    "covariance": "forms",
    "derive": "derive",
    "expect": "expectation",
    "explore": "exploring",
    "function": "userfunction",
    "hermite_coefficients": "hermite",
    "information_exponent": "hermite",
    "label": "symbols",
    "load": "results",
    "log_ndtr": "functions",
    "logsumexp": "functions",
    "mean": "forms",
    "noise": "symbols",
    "optimal_schedule": "scheduling.optimal",
    "overlap": "forms",
    "parameter": "symbols",
    "relu": "functions",
    "rerun": "reproduce",
    "resolvent": "forms",
    "sigmoid": "functions",
    "simulate": "simulation",
    "size": "symbols",
    "softplus": "functions",
    "stability_map": "stability.map",
    "student": "symbols",
    "sweep": "sweep",
    "t": "symbols",
    "teacher": "symbols",
}

__all__ = [
    "AdaGradNorm",
    "AdaptiveRate",
    "Bernoulli",
    "Categorical",
    "Derivation",
    "DimensionScaling",
    "Discrete",
    "Ellipse",
    "Ensemble",
    "HdsymError",
    "InformationExponent",
    "Laplace",
    "LearningRate",
    "LineSearch",
    "Model",
    "Normal",
    "Poisson",
    "Polyak",
    "Problem",
    "RMSpropNorm",
    "Rademacher",
    "Spectrum",
    "StudentT",
    "Trained",
    "Trajectory",
    "Uniform",
    "Verdict",
    "__version__",
    "compare",
    "compare_dimensions",
    "covariance",
    "derive",
    "expect",
    "explore",
    "function",
    "functions",
    "hermite_coefficients",
    "information_exponent",
    "label",
    "load",
    "log_ndtr",
    "logsumexp",
    "mean",
    "noise",
    "optimal_schedule",
    "overlap",
    "parameter",
    "parse",
    "quantities",
    "relu",
    "rerun",
    "resolvent",
    "schedules",
    "sigmoid",
    "simulate",
    "size",
    "softplus",
    "spectrum",
    "stability_map",
    "start",
    "statistics",
    "student",
    "sweep",
    "t",
    "teacher",
    "zoo",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f".{name}", __name__)
    if name in _NAMES:
        value = getattr(import_module(f".{_NAMES[name]}", __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


class _Package(ModuleType):
    """Keeps ``hdsym.derive``, ``.simulate`` and ``.compare`` the functions.

    Importing a submodule binds it to its name in the package, and three functions share theirs with their module.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _NAMES and isinstance(value, ModuleType):
            return
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
