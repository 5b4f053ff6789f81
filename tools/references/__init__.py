"""References generated from the code: docs/grid-toml.md, cli.md, tables.md, json.md, and grid.schema.json."""
