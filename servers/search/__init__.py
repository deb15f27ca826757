"""Program repair without a model: find the suspicious lines, try small edits, rank what passes.

Read it in this order: `source` (text and syntax tree of one file), `localise` (where), `clues` (what
the failure says), `templates/` (which edits), `candidates` (in which order), `nonsense` (which passing
edits are no repair), `rank` (which one first), `engine` (the loop). Everything but `engine` is pure.
"""
