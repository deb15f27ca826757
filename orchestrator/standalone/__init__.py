"""What runs without Podium."""
