"""What every blueprint needs: configuration, database, errors, logs. Knows no blueprint."""
