/**
 * Aligns columns as Go's text/tabwriter does with docker's settings: a cell is ended by a tab, a column is as wide as its widest cell
 * plus the padding, and a line's last cell is outside any column.
 *
 * @param lines each line's cells
 * @returns the text, every line ended by a newline
 */
export function alignColumns(lines: readonly (readonly string[])[], minimum = 10, padding = 3): string {
  const out: string[] = lines.map(() => '')
  const deepest = Math.max(0, ...lines.map((line) => line.length - 1))
  for (let column = 0; column < deepest; column++) {
    // A column runs over neighbouring lines only: a line without it parts two columns of different width.
    for (let first = 0; first < lines.length; first++) {
      if (!hasColumn(lines[first], column)) continue
      let end = first
      let width = minimum
      for (; hasColumn(lines[end], column); end++) width = Math.max(width, textWidth(lines[end]?.[column] ?? '') + padding)
      for (let i = first; i < end; i++) out[i] += pad(lines[i]?.[column] ?? '', width)
      first = end
    }
  }
  return out.map((text, i) => `${text}${lines[i]?.at(-1) ?? ''}\n`).join('')
}

function hasColumn(line: readonly string[] | undefined, column: number): boolean {
  return line !== undefined && line.length - 1 > column
}

function pad(text: string, width: number): string {
  return text + ' '.repeat(width - textWidth(text))
}

/** Code points, as tabwriter counts them. */
function textWidth(text: string): number {
  let width = 0
  for (const _ of text) width++
  return width
}

/** Cuts to `length` code points, the last of which is then `…`. */
export function ellipsis(text: string, length: number): string {
  const points = [...text]
  if (points.length <= length) return text
  return length <= 1 ? points.slice(0, length).join('') : `${points.slice(0, length - 1).join('')}…`
}
