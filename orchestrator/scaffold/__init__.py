"""What `podium new-agent` begins with: an agent's file and its test, as templates (`string.Template`)."""
