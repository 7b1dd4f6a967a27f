"""What registers rewards: a file a domain, and nothing else."""
