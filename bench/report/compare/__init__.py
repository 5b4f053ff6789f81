"""`maskbench compare`: a comparison of runs, cell by cell, with the errors of their differences.

view → document → the formats. `bench.report.compare.command` drives them.
"""
