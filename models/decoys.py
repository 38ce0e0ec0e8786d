"""Decoys: vectors that are nobody's face, drawn from a model of the population an encoder's vectors come from."""
from models.alignment import Floats


def decoys(encoder: str, members: Floats, count: int = 100, seed: int = 0) -> Floats:
    """``(count, size)`` unit vectors for a gallery with these templates ``(n, size)``, always the same for one seed."""
    raise NotImplementedError
