/** An answer in plain words. */
export function plainAnswer(status: number, message: string, headers: HeadersInit = {}): Response {
  return new Response(`${message}\n`, { status, headers });
}
