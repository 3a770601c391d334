/** What of a request decides whether it is upgraded, and to what; a `Request` has all of it. */
export interface UpgradeRequest {
  /** `GET`, or it is refused. */
  readonly method: string;
  /** The whole address. */
  readonly url: string;
  /** One by its name in lower case, and all of them with their values. */
  readonly headers: Pick<Headers, "get"> & Iterable<[name: string, value: string]>;
}

/** As the platform's own, which is made where a listener has not got one. */
export function asRequest(request: UpgradeRequest): Request {
  if (request instanceof Request) return request;
  return new Request(request.url, { headers: [...request.headers] });
}
