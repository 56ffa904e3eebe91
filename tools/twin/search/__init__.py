"""The twin's search service: the OpenSearch dialect of a Serverless NextGen vector collection, on this machine."""
