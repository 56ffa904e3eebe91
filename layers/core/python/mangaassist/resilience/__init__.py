"""What stands between a turn and a service that fails: retries and circuit breakers (RES-1, RES-2)."""
