"""LangChain and LlamaIndex over our FAISS index, embedder and upstream: retrieve, prompt, call, read. No lexical leg, no judging, no log.

`python -m tests.bench.peers langchain|langchain-torch|llama-index` reads its task as JSON from stdin, in an environment that has them,
and says as JSON what it took.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from rag import weights
from rag.embedders.onnx import OnnxEmbedder
from tests.bench.clock import loaded

SYSTEM = "Answer the question from the passages. Cite each sentence, as in [1]. Say so where they do not tell."
PROMPT = f"{SYSTEM}\n\n{{context}}\n\nQuestion: {{question}}"

Ask = Callable[[str], Awaitable[object]]


def langchain(task: dict[str, Any]) -> Ask:
    """Its retriever, a prompt and its client of OpenAI in a chain."""
    from langchain_core.embeddings import Embeddings

    embedder = OnnxEmbedder()

    class Embedding(Embeddings):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return embedder.embed(texts).tolist()

        def embed_query(self, text: str) -> list[float]:
            return embedder.embed([text])[0].tolist()

    return _chain(task, Embedding())


def langchain_torch(task: dict[str, Any]) -> Ask:
    """The same, but embedding as its tutorials do: sentence-transformers on torch."""
    from langchain_community.embeddings import HuggingFaceEmbeddings

    model = weights.locate(weights.MINILM_SAFETENSORS).parent
    return _chain(task, HuggingFaceEmbeddings(model_name=str(model), encode_kwargs={"normalize_embeddings": True}))


def _chain(task: dict[str, Any], embedding: Any) -> Ask:
    import faiss
    from langchain_community.docstore.in_memory import InMemoryDocstore
    from langchain_community.vectorstores import FAISS
    from langchain_core.documents import Document
    from langchain_core.output_parsers import StrOutputParser
    from langchain_core.prompts import ChatPromptTemplate
    from langchain_core.runnables import RunnablePassthrough
    from langchain_openai import ChatOpenAI

    texts = task["texts"]
    store = FAISS(
        embedding_function=embedding,
        index=faiss.read_index(task["index"]),
        docstore=InMemoryDocstore({str(row): Document(page_content=text) for row, text in enumerate(texts)}),
        index_to_docstore_id={row: str(row) for row in range(len(texts))},
    )
    model = ChatOpenAI(model="gpt-4.1-mini", base_url=task["url"], api_key="sk-bench", temperature=0, max_retries=0)

    def together(documents: list[Document]) -> str:
        return "\n\n".join(f"[{number}] {document.page_content}" for number, document in enumerate(documents, 1))

    retrieved = {"context": store.as_retriever(search_kwargs={"k": task["k"]}) | together, "question": RunnablePassthrough()}
    chain = retrieved | ChatPromptTemplate.from_template(PROMPT) | model | StrOutputParser()
    return chain.ainvoke


def llama_index(task: dict[str, Any]) -> Ask:
    """Its query engine over its FAISS store, and its client for servers that speak as OpenAI's does."""
    import faiss
    from llama_index.core import PromptTemplate, StorageContext, VectorStoreIndex
    from llama_index.core.embeddings import BaseEmbedding
    from llama_index.core.schema import TextNode
    from llama_index.llms.openai_like import OpenAILike
    from llama_index.vector_stores.faiss import FaissVectorStore

    embedder = OnnxEmbedder()

    class Embedding(BaseEmbedding):
        def _get_text_embedding(self, text: str) -> list[float]:
            return embedder.embed([text])[0].tolist()

        def _get_query_embedding(self, query: str) -> list[float]:
            return embedder.embed([query])[0].tolist()

        async def _aget_query_embedding(self, query: str) -> list[float]:
            return await asyncio.to_thread(self._get_query_embedding, query)

    nodes = [TextNode(id_=str(row), text=text) for row, text in enumerate(task["texts"])]
    storage = StorageContext.from_defaults(vector_store=FaissVectorStore(faiss_index=faiss.read_index(task["index"])))
    index = VectorStoreIndex([], storage_context=storage, embed_model=Embedding())
    index.docstore.add_documents(nodes)
    for node in nodes:
        index.index_struct.nodes_dict[node.node_id] = node.node_id
    model = OpenAILike(
        model="gpt-4.1-mini", api_base=task["url"], api_key="sk-bench", is_chat_model=True, temperature=0, max_retries=0
    )
    prompt = PromptTemplate(PROMPT.replace("{context}", "{context_str}").replace("{question}", "{query_str}"))
    return index.as_query_engine(llm=model, similarity_top_k=task["k"], text_qa_template=prompt).aquery


PEERS = {"langchain": langchain, "langchain-torch": langchain_torch, "llama-index": llama_index}


async def measure(ask: Ask, task: dict[str, Any]) -> dict[str, Any]:
    """Milliseconds of each request, and of all together, at each number of clients."""
    answer = str(await ask(task["questions"][0]))
    if task["answer"] not in answer:
        raise RuntimeError(f"it answers {answer!r}")
    await loaded(ask, task["questions"], 1, 10)
    return {
        clients: (await loaded(ask, task["questions"], int(clients), total))._asdict() for clients, total in task["loads"].items()
    }


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    print(json.dumps(asyncio.run(measure(PEERS[sys.argv[1]](asked), asked))))
