"""One tree of exceptions. Every message names the offender, what was expected, and the remedy."""

from __future__ import annotations

from typing import Any


class HdsymError(Exception):
    """Base of every error hdsym raises on purpose.

    Parameters
    ----------
    message:
        What is wrong: the offender and what was expected.
    remedy:
        What to do about it, in one sentence.
    """

    def __init__(self, message: str, *, remedy: str = "") -> None:
        self.message = message
        self.remedy = remedy
        super().__init__(message, remedy)

    def __reduce__(self) -> tuple[Any, ...]:
        """Errors travel between processes, and those of subclasses with more arguments too."""
        return _revived, (type(self), self.args), self.__dict__

    def __str__(self) -> str:
        return f"{self.message}\n  remedy: {self.remedy}" if self.remedy else self.message


def _revived(kind: type[HdsymError], args: tuple[Any, ...]) -> HdsymError:
    return kind.__new__(kind, *args)


class DeclarationError(HdsymError, ValueError):
    """A model, spectrum, start or problem was declared in a way that has no meaning."""


class ParameterError(DeclarationError):
    """A named parameter has no value, an unknown name, or a value outside its domain."""


class ParseError(HdsymError, ValueError):
    """Text that should be a mathematical expression is not one, or uses what is not allowed."""


class FileFormatError(HdsymError, ValueError):
    """A file is not what it should be: a wrong kind, a missing or an unknown key."""


class ExpectationError(HdsymError):
    """A Gaussian expectation does not exist, or no permitted rule can compute it."""


class CodegenError(HdsymError):
    """An expression cannot be lowered or printed for a target."""


class SimulationError(HdsymError, RuntimeError):
    """A simulation cannot be set up or run."""


class SweepError(HdsymError, RuntimeError):
    """A sweep cannot be run: its scheduler cannot be reached, or its store belongs to another one."""


class ComparisonError(HdsymError, ValueError):
    """Theory and simulation cannot be compared, for instance because they share no times."""


class SolveError(HdsymError, RuntimeError):
    """Time integration failed.

    Attributes
    ----------
    t:
        Time up to which the solution is valid.
    trajectory:
        The :class:`hdsym.results.Trajectory` up to `t`, or ``None`` if not even the start is finite.
    """

    def __init__(self, message: str, *, t: float, trajectory: Any = None, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.t = t
        self.trajectory = trajectory
