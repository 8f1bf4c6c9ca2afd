"""Streaming SGD itself: the independent witness against which the theory is checked.

Nothing here uses the derivation. The gradient is the derivative of the declared loss, the statistics are computed from
the weights X and X*, and the risk is an average over preactivations with the recorded covariance. Homogenized SGD
follows from the theory and is no witness of it: its coefficients are handed over, by :mod:`hdsym.simulation`.
"""

from .api import simulate

__all__ = ["simulate"]
