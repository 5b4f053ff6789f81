"""The regression gate: is a candidate worse than a baseline, cell by cell, beyond chance and beyond tolerance?

evaluated → comparable → decision (with swap) → outcome → the reports. `bench.gate.command` drives them.
"""
