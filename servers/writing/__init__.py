"""What the writers share: prompts, the forms of a reply and what becomes of them, and how a model is asked.

Nothing of a reply is executed and nothing in it chooses a tool: it becomes a typed value, and that a file's new text.
"""
