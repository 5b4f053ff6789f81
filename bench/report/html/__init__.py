"""The report as one self-contained HTML file: a template with a style sheet, a script and Vega inlined."""
