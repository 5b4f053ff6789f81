"""The regression gate: decides cell by cell whether a candidate is worse than a baseline, beyond chance and tolerance.

evaluated → comparable → decision (with swap) → outcome → the reports. `bench.gate.command` drives them.
"""
