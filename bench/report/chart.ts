/** Bars that are compared with each other. */
export interface Group {
  readonly title: string;
  readonly bars: readonly { readonly label: string; readonly value: number }[];
}

const WIDTH = 820;
const LABEL_WIDTH = 260;
const BAR_WIDTH = WIDTH - LABEL_WIDTH - 90;
const LINE = 22;

/** An SVG with a bar for each value, as long as its share of the longest in its group. */
export function chart(title: string, groups: readonly Group[]): string {
  const parts: string[] = [text(16, 28, title, 'font-size="17" font-weight="600"')];
  let y = 52;
  for (const { title, bars } of groups) {
    parts.push(text(16, y + 12, title, 'font-size="13" font-weight="600"'));
    y += 22;
    const longest = Math.max(...bars.map(({ value }) => value));
    for (const { label, value } of bars) {
      const width = Math.max(1, Math.round(value / longest * BAR_WIDTH));
      const color = label.startsWith("Airwave") ? "#0b7285" : "#adb5bd";
      parts.push(
        text(LABEL_WIDTH - 8, y + 14, label, 'font-size="12" text-anchor="end"'),
        `<rect x="${LABEL_WIDTH}" y="${y + 3}" width="${width}" height="15" fill="${color}"/>`,
        text(LABEL_WIDTH + width + 6, y + 15, value.toFixed(2), 'font-size="12"'),
      );
      y += LINE;
    }
    y += 14;
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${y}" ` +
    `viewBox="0 0 ${WIDTH} ${y}" font-family="system-ui, sans-serif" fill="#212529">`,
    `<rect width="${WIDTH}" height="${y}" fill="#ffffff"/>`,
    ...parts,
    "</svg>\n",
  ].join("\n");
}

function text(x: number, y: number, content: string, attributes: string): string {
  const escaped = content.replace(/[&<>]/g, (c) => `&#${c.charCodeAt(0)};`);
  return `<text x="${x}" y="${y}" ${attributes}>${escaped}</text>`;
}
