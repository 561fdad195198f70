"""What happens by itself or by rule: schedules, retention."""
