"""How expectations are differentiated: pathwise, score function, enumeration."""
