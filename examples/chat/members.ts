/** Somebody in a room, as all who are in it see them. */
export interface RoomMember {
  /** One member, in however many tabs: a person under a name. */
  readonly id: string;
  /** The person. Who takes another name comes as another member, and the former one leaves. */
  readonly person: string;
  readonly name: string;
}

/** Reads a member of a presence channel. */
export function parseMember(
  { id, person, name }: Readonly<Record<string, unknown>>,
): RoomMember | undefined {
  return typeof id === "string" && typeof person === "string" && typeof name === "string"
    ? { id, person, name }
    : undefined;
}
