"""Who does the work: one specialist a file, and the runtime that serves and confines it."""
