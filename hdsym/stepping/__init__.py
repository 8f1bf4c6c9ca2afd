"""Time stepping for the mode equations: their Jacobian, and integrators that use its structure."""
