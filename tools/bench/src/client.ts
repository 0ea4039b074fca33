/** Who speaks to a gateway, and where that is. */
export interface Client {
  url: string;
  token: string;
}

/** Sends a message, into a new session where none is named, and answers the session's id. */
export async function say(
  { url, token }: Client,
  message: string,
  sessionId?: string,
): Promise<string> {
  const response = await fetch(`${url}/v1/session/message`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ message, ...(sessionId && { session_id: sessionId }) }),
  });
  if (response.status !== 202) throw new Error(`${response.status}: ${await response.text()}`);
  const { session_id } = (await response.json()) as { session_id: string };
  return session_id;
}
