"""What the model server stands on: endpoints, structured replies, prices, budgets, secrets."""
