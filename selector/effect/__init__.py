"""Does it pay: scores of fine-tuning runs -> slopes on diversity with intervals, checks, and a decision."""
