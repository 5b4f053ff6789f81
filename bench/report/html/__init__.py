"""The report as one HTML file that needs nothing else: a template, a style sheet, a script and Vega, written into it."""
