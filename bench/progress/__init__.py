"""How far a long piece of work is, and the ways of showing it."""
