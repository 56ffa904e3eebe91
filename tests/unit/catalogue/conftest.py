from hypothesis import HealthCheck, settings

# A busy machine is no counterexample: examples are judged by their outcome, never by the clock.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
