import { Problem } from '@soma/kernel';

/**
 * The whole of a body, up to a limit in bytes.
 *
 * @throws {@link Problem} 502 `upstream_answer_too_large`
 */
export async function readWhole(body: AsyncIterable<Buffer>, maxBytes: number): Promise<string> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of body) {
    size += piece.byteLength;
    if (size > maxBytes) {
      throw tooLarge(maxBytes);
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString();
}

/** The same answer, whose body fails when it goes beyond the limit. */
export function limited(response: Response, maxBytes: number): Response {
  const { status, statusText, headers } = response;
  if (response.body === null || isShort(headers, maxBytes)) {
    return response;
  }
  const body = limitedBody(response.body, maxBytes);
  return new Response(body, { status, statusText, headers });
}

/** Whether it says how long it is: no more of it is read than that. What is packed may be longer. */
function isShort(headers: Headers, maxBytes: number): boolean {
  const length = headers.get('content-length');
  return length !== null && Number(length) <= maxBytes && !headers.has('content-encoding');
}

/** By hand: a stream that is piped through another one costs more than the request. */
function limitedBody(
  body: ReadableStream<Uint8Array>,
  maxBytes: number,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  let size = 0;
  return new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      const { value } = await reader.read();
      if (value === undefined) {
        controller.close();
        return;
      }
      size += value.byteLength;
      if (size > maxBytes) {
        const error = tooLarge(maxBytes);
        await reader.cancel(error);
        throw error;
      }
      controller.enqueue(value);
    },
    cancel: (reason) => reader.cancel(reason),
  });
}

function tooLarge(maxBytes: number): Problem {
  return new Problem({
    status: 502,
    code: 'upstream_answer_too_large',
    detail: `The other side answered more than ${maxBytes} bytes.`,
  });
}
