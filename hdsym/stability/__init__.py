"""Learning rates up to which SGD is stable, of three kinds that must not be confused, and its fixed points."""
