"""What one writes with an ASGI framework: FastAPI, which checks, pushes, publishes and answers."""

import os
from typing import Literal

import redis.asyncio
from fastapi import FastAPI
from pydantic import BaseModel, Field

from benchmarks.baselines import CHANNEL, QUEUE

# redis-py's own limit of 100 would refuse the others.
CONNECTIONS_MAX = 1000


class Transaction(BaseModel):
    transaction_id: str = Field(min_length=1, max_length=100)
    user: int
    amount: int = Field(ge=0)
    status: Literal["PENDING", "SUCCESS", "FAILED"] = "PENDING"


application = FastAPI()
_redis = redis.asyncio.Redis.from_url(os.environ["REDIS_URL"], max_connections=CONNECTIONS_MAX)


@application.get("/livez")
async def live() -> dict[str, str]:
    return {"status": "alive"}


@application.post("/api/add-transaction/")
async def add_transaction(transaction: Transaction) -> dict[str, str]:
    record = transaction.model_dump_json()
    await _redis.rpush(QUEUE, record)
    await _redis.publish(CHANNEL, record)
    return {"message": "Transaction detail was obtained successfully."}
