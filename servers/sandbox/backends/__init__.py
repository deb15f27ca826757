"""The ways to confine a job, strongest first; `select` picks by running a canary."""
