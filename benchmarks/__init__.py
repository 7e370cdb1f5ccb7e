"""How fast elbowroom is, beside the best hand-written loop and beside pythae: ``make bench``."""
