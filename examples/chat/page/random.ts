/** Also where `crypto.randomUUID` is missing: on a page that came by plain HTTP from elsewhere. */
export function randomHex(bytes: number): string {
  const random = crypto.getRandomValues(new Uint8Array(bytes));
  return Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
