"""Models, problems and calls as text from which they can be read back, for results that reproduce themselves."""
