"""One endpoint that speaks the Messages API, over the official client: one request at a time, never repeated here.

The client's own retries are off, so that every request is counted and held against the budgets. It takes its key and
address from here alone, and follows no redirects (they could carry the key elsewhere). Importing this module takes a
second: import it when it is needed, in a thread.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import cast

import anthropic
import anyio
import httpx2
from anthropic.types import MessageParam, TextBlockParam

from servers.minds.config import Chosen
from servers.minds.heard import Heard, TooMuch
from servers.minds.reply import Request, words
from servers.minds.trouble import Trouble, of_connection, of_status, unreached

MAX_BYTES = 16 << 20
"""Of one answer, as it comes over the network; 64,000 tokens in events of their own are about 10 MB."""

CONNECT_S = 10.0
"""Until there is a connection, TLS included."""

OnHeard = Callable[[Heard], Awaitable[None]]


class Endpoint:
    """Where one model is asked."""

    def __init__(self, chosen: Chosen) -> None:
        self._chosen = chosen
        self._tls = httpx2.create_ssl_context()

    async def ask(self, request: Request, heard: Heard, on_heard: OnHeard) -> None:
        """Send one request and take the whole answer into `heard`, calling `on_heard` as it comes.

        Raises:
            Trouble: there is no whole answer; `heard` has what came of it.
        """
        limit = self._chosen.config.timeout_s
        try:
            async with self._client() as client:
                with anyio.fail_after(limit):
                    await self._listen(client, request, heard, on_heard)
        except (TimeoutError, anthropic.APITimeoutError, httpx2.TimeoutException) as error:
            if isinstance(error.__cause__, httpx2.ConnectTimeout):
                raise unreached(f"none within {CONNECT_S:g} s", self._chosen, "timeout") from None
            # The connection may have been made; whoever is that slow may have worked all the while.
            heard.taken_up = True
            raise Trouble(f"it did not finish within {limit:g} s", kind="timeout") from None
        except anthropic.APIStatusError as error:
            raise of_status(error, self._chosen) from None
        except anthropic.APIConnectionError as error:
            if isinstance(error.__cause__, TooMuch):
                raise _too_much(error.__cause__) from None
            if isinstance(error.__cause__, httpx2.ConnectError):
                raise unreached(str(error.__cause__), self._chosen) from None
            heard.taken_up = True
            raise of_connection(error.__cause__ or error) from None
        except TooMuch as error:
            raise _too_much(error) from None
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            raise of_connection(error) from None
        except (ValueError, TypeError, AttributeError, RecursionError, anthropic.AnthropicError) as error:
            raise Trouble(f"what it said is not the Messages protocol ({error})", kind="broken") from None
        if not heard.ended and not heard.stop_reason:
            raise Trouble("its answer ended in the middle", kind="broken")

    def _client(self) -> anthropic.AsyncAnthropic:
        limit = self._chosen.config.timeout_s
        # A new one each time: a reply takes seconds, and nothing stays open between two.
        return anthropic.AsyncAnthropic(
            api_key=self._chosen.key,
            base_url=self._chosen.base_url,
            max_retries=0,
            timeout=httpx2.Timeout(limit, connect=CONNECT_S),
            open_telemetry=False,
            default_headers={"accept-encoding": "identity"},
            http_client=anthropic.DefaultAsyncHttpxClient(
                verify=self._tls, follow_redirects=False, event_hooks={"response": [_bound]}
            ),
        )

    async def _listen(
        self, client: anthropic.AsyncAnthropic, request: Request, heard: Heard, on_heard: OnHeard
    ) -> None:
        way, temperature = request.way, self._chosen.config.temperature
        stream = await client.messages.create(
            model=self._chosen.model,
            max_tokens=request.max_tokens,
            messages=_messages(request),
            system=[_cached(request.system)] if request.system else anthropic.omit,
            output_config={"format": {"type": "json_schema", "schema": _sent(request)}}
            if way == "schema"
            else anthropic.omit,
            tools=[
                {
                    "name": request.reply_name,
                    "description": "Takes your answer. Call it once, with the whole of it.",
                    "input_schema": cast("dict[str, object]", request.schema),
                }
            ]
            if way == "tool"
            else anthropic.omit,
            tool_choice={"type": "tool", "name": request.reply_name} if way == "tool" else anthropic.omit,
            extra_body=None if temperature is None else {"temperature": temperature},
            stream=True,
        )
        heard.taken_up = True
        async with stream:
            async for event in stream:
                heard.take(event)
                await on_heard(heard)


def _messages(request: Request) -> list[MessageParam]:
    """The turns, cached up to the end of the last: a correction, or a further round, begins with all of them.

    An endpoint that caches less than some number of tokens (1,024 to 4,096, by model) takes no notice of the mark. What
    asks in words for the reply comes behind it, as it moves on to the end of the next request.
    """
    *before, last = request.turns
    blocks = [_cached(last.text)]
    if request.way == "prompt":
        blocks.append({"type": "text", "text": words(request.reply_name, request.schema)})
    said = [{"role": turn.role, "content": turn.text} for turn in before]
    return cast("list[MessageParam]", [*said, {"role": last.role, "content": blocks}])


def _cached(text: str) -> TextBlockParam:
    return {"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}


def _sent(request: Request) -> dict[str, object]:
    """The schema as the API takes it: closed objects, no bounds on numbers and lengths (they go into descriptions)."""
    try:
        sent = anthropic.transform_schema(cast("dict[str, object]", request.schema))
    except (ValueError, TypeError, AssertionError):
        raise Trouble("the schema cannot be said in `output_config`", kind="other way") from None
    return {**sent, "title": request.reply_name}


def _too_much(error: TooMuch) -> Trouble:
    return Trouble(str(error), kind="too much", way_out="Ask another endpoint: this one does not keep to `max_tokens`.")


async def _bound(response: httpx2.Response) -> None:
    if response.headers.get("content-encoding", "identity") != "identity":
        raise TooMuch("it answers compressed, though it was asked not to")  # how large it would get is not known
    response.stream = _Bounded(cast("httpx2.AsyncByteStream", response.stream))


class _Bounded(httpx2.AsyncByteStream):
    """A response's bytes, of which there may be no more than `MAX_BYTES`."""

    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        total = 0
        async for chunk in self._stream:
            total += len(chunk)
            if total > MAX_BYTES:
                raise TooMuch(f"its answer is larger than {MAX_BYTES >> 20} MB")
            yield chunk

    async def aclose(self) -> None:
        """Release the connection."""
        await self._stream.aclose()
