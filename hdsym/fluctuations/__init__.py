"""How far a single run of dimension d strays from its limit: the linear-noise picture, and where it does not hold."""
