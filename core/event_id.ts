/**
 * Ids that clients chose are stored apart from those of the application: publishing an id again
 * delivers nothing, so a client that guessed `order-42-paid` could otherwise take it first and keep
 * the real event from everybody. Drivers store ids as they get them and need not know.
 */
const CLIENT = "~c";
/** Before an id of the application that would look like one of the others. */
const APPLICATION = "~a";

/** The id as drivers store it. */
export function storedId(id: string, isFromClient: boolean): string {
  if (isFromClient) return CLIENT + id;
  return id.startsWith("~") ? APPLICATION + id : id;
}

/** The id as it was published. */
export function publishedId(stored: string): string {
  const isMarked = stored.startsWith(CLIENT) || stored.startsWith(APPLICATION);
  return isMarked ? stored.slice(2) : stored;
}
