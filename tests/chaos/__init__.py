"""Real processes, killed with SIGKILL at named points while customers go through whole visits."""
