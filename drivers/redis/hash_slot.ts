const SLOTS = 16_384;

/** The slot of a cluster that a key or a sharded channel belongs to: CRC-16 of what is in its braces. */
export function hashSlot(name: string): number {
  const open = name.indexOf("{");
  const close = name.indexOf("}", open);
  const hashed = open >= 0 && close > open + 1 ? name.slice(open + 1, close) : name;
  let crc = 0;
  for (const byte of new TextEncoder().encode(hashed)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) {
      crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff;
    }
  }
  return crc % SLOTS;
}
