"""Parts of a report, by theme: each module builds blocks and sections of the document from the view."""
