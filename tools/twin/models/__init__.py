"""The model runtime of the twin: Bedrock Runtime and SageMaker Runtime over their own wire protocols.

Behind them stand small real models, trained from committed data by ``python -m tools.twin.models.train`` (embeddings,
intent classifier, reranker), and a language model that composes answers from the facts in its prompt (``composer``),
or any OpenAI-compatible server named by ``TWIN_LLM_URL``.
"""
