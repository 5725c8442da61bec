"""Safeguards of accepting."""

from .mutation import Mutation

ACCEPT = "transactions/intake/accept.lua"
INGEST = "transactions/intake/ingest.py"
MUTATIONS = (
    Mutation(
        "what is being stored stays known",
        ACCEPT,
        "string.gmatch(head[5] or '', '%S+')",
        "string.gmatch('', '%S+')",
    ),
    Mutation(
        "the generation of look-ups",
        ACCEPT,
        "if looked_up ~= '' and looked_up ~= generation then",
        "if false then",
    ),
    Mutation("all or none", ACCEPT, "if atomic and #conflicts > 0 then", "if false then"),
    Mutation("types before the first write", ACCEPT, "if wrong then return wrong end\n", ""),
    Mutation("the longest queue", ACCEPT, "+ #pushes > longest then", "+ #pushes > longest * 1000 then"),
    Mutation(
        "an unstated time stays unstated",
        ACCEPT,
        "was_created, accepted_at, request_id}",
        "happened, accepted_at, request_id}",
    ),
    Mutation("the reserve below Redis' limit", INGEST, "if self._memory_full:", "if False:"),
    Mutation(
        "scripts that Redis forgot",
        INGEST,
        "await self._script(KEYS, arguments)",
        "await self._redis.evalsha(self._script.sha, len(KEYS), *KEYS, *arguments)",
    ),
    Mutation(
        "the shield: the stages belong to nobody",
        INGEST,
        "        return await answer\n",
        "        await self._asking\n        return await answer\n",
    ),
)
