"""What was derived, on disk: text files that only their owner can write, looked up by the content of the model.

Formulas are read without anything being parsed as code. Generated modules are code, and are executed when they are
read: what vouches for them is the signature, made with a key that nobody else can read, in a folder that nobody else
can write.

:mod:`.folder` says where they are and whether the folder can be trusted, :mod:`.files` reads and writes them,
:mod:`.codec` turns formulas into text and back, :mod:`.identity` makes the keys, :mod:`.kept` is what derivations use.
"""

from __future__ import annotations

__all__: list[str] = []
