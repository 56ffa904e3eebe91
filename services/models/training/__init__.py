"""The steps of the training pipelines; SageMaker runs them from a zip file, see ``stacks/constructs/training_pipeline.py``."""
