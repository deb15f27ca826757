"""What the test runner stands on: scratch copies, the project's interpreter, and reading its claims."""
