"""The models of our own behind SageMaker endpoints: intent classifier and reranker (README.md)."""
