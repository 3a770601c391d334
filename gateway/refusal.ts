/** Why a request is refused: a status, a stable code for programs and a message for people. */
export class Refusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;

  constructor(status: number, code: string, message: string) {
    this.status = status;
    this.code = code;
    this.message = message;
  }

  /** The answer that says so, as JSON. */
  toResponse(headers: HeadersInit = {}): Response {
    const { status, code, message } = this;
    return Response.json({ error: { code, message } }, { status, headers });
  }
}
