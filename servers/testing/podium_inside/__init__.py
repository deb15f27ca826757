"""What runs inside the sandbox, on the project's own interpreter: Python 3.8 or newer, pytest 7 or newer.

Standard library and pytest only; nothing of Podium is importable there but this package.
"""
