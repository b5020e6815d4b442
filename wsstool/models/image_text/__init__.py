"""Networks whose image embeddings lie in the same space as embeddings of text, such as CLIP's."""
