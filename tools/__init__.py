"""Programs that people, tests and the pipeline run; none of it is deployed."""
