/**
 * The same answer. Does something once, when its body has ended, or failed, or nobody wants it any more.
 *
 * @param act.signal - Aborts when nobody waits for the answer any more.
 */
export function whenRead(
  response: Response,
  act: { signal: AbortSignal | undefined; then: () => void },
): Response {
  const { status, statusText, headers } = response;
  const body: ReadableStream<Uint8Array> | null = response.body;
  const end = once(act.then);
  act.signal?.addEventListener('abort', end);
  if (body === null) {
    end();
    return response;
  }
  return new Response(watched(body.getReader(), end), { status, statusText, headers });
}

/** By hand: a stream that is piped through another one costs more than the request. */
function watched(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  end: () => void,
): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      const { value } = await reader.read().catch((error: unknown) => {
        end();
        throw error;
      });
      if (value === undefined) {
        end();
        controller.close();
      } else {
        controller.enqueue(value);
      }
    },
    cancel: (reason) => {
      end();
      return reader.cancel(reason);
    },
  });
}

function once(act: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) act();
    isDone = true;
  };
}
